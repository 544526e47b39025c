// Proposing something to a model's owners: a release, new terms, a payment from the treasury.
import { Button, NumberInput, SegmentedControl, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { Fact, Facts, Hash } from '@/components/facts';
import { PageHead, Section } from '@/components/layout';
import { useReview } from '@/components/ReviewSheet';
import { Denied, Failed, Loading, Shown } from '@/components/states';
import { jobReleaseQuery } from '@/lib/api/jobs';
import { useModel } from '@/lib/api/models';
import { useSymbol } from '@/lib/api/network';
import type { JobRelease, Model } from '@/lib/api/types';
import { formatBytes, formatCount, formatE8s, formatPpm, formatUnits, words } from '@/lib/format';
import { usePrincipal } from '@/lib/identity/session';
import { NS_PER_SECOND, parseTokens } from '@/lib/units';
import { proposeDeed, type Proposing } from './propose';

export function ProposePage() {
  const canister = useParams().canister ?? '';
  const query = useModel(canister);
  const me = usePrincipal();
  return (
    <Shown query={query} what="model">
      {(model) =>
        model.holders.some((one) => one.owner === me && one.shares > 0) ? (
          <ProposeForm model={model} />
        ) : (
          <Denied title="Only owners can propose" action={<Link to={`/models/${canister}`}>Back to the model</Link>}>
            Proposals are for those who hold shares of this model. Sign in with a key that does, or ask one of the owners.
          </Denied>
        )
      }
    </Shown>
  );
}

type Kind = 'release' | 'parameters' | 'treasury';

function ProposeForm({ model }: { model: Model }) {
  const [kind, setKind] = useState<Kind>('release');
  const [summary, setSummary] = useState('');
  const review = useReview();
  const queries = useQueryClient();
  const navigate = useNavigate();
  async function propose(what: Proposing) {
    const holder: { id: bigint | null } = { id: null };
    const done = await review(proposeDeed(queries, model, what, summary.trim(), holder));
    if (done && holder.id !== null) await navigate(`/models/${model.canister}/proposals/${holder.id}`);
  }
  return (
    <>
      <PageHead title="Propose something" lead={<>To the owners of <Link to={`/models/${model.canister}`}>{model.name}</Link>. They vote by their shares; what is adopted carries itself out.</>} />
      <Section title="What">
        <Stack>
          <SegmentedControl aria-label="Kind of proposal" value={kind} onChange={(value) => setKind(value as Kind)} data={[{ value: 'release', label: 'A release' }, { value: 'parameters', label: 'New terms' }, { value: 'treasury', label: 'A payment' }]} />
          <Textarea label="Why" description="What the owners should know before they vote" maxLength={5_000} autosize minRows={2} value={summary} onChange={(event) => setSummary(event.currentTarget.value)} />
          {kind === 'release' && <ReleaseForm model={model} onPropose={(what) => void propose(what)} />}
          {kind === 'parameters' && <ParametersForm model={model} onPropose={(what) => void propose(what)} />}
          {kind === 'treasury' && <TreasuryForm onPropose={(what) => void propose(what)} />}
        </Stack>
      </Section>
    </>
  );
}

interface FormProps {
  model: Model;
  onPropose: (what: Proposing) => void;
}

function ReleaseForm({ model, onPropose }: FormProps) {
  const release = useQuery(jobReleaseQuery(model.job_id));
  if (release.error) return <Failed error={release.error} what="release" onRetry={() => void release.refetch()} />;
  if (!release.data) return <Loading what="the release" />;
  const { data } = release;
  return (
    <Stack>
      <ReleaseFacts release={data} />
      <Button style={{ alignSelf: 'flex-end' }} onClick={() => onPropose({ kind: 'release', release: data })}>
        Review and sign
      </Button>
    </Stack>
  );
}

function ReleaseFacts({ release }: { release: JobRelease }) {
  const { manifest } = release;
  const size = [...manifest.wasm_chunks, ...manifest.weight_chunks].reduce((sum, chunk) => sum + Number(chunk.size_bytes), 0);
  return (
    <Facts>
      <Fact name="Release">{manifest.title}</Fact>
      <Fact name="Of">
        <Link to={`/jobs/${manifest.job_id}`}>job {manifest.job_id}</Link>
      </Fact>
      {manifest.metrics.map((metric) => (
        <Fact key={metric.name} name={words(metric.name)}>
          {formatPpm(Number(metric.value_ppm))}
        </Fact>
      ))}
      <Fact name="Size">
        {formatBytes(size)} in {formatUnits(manifest.wasm_chunks.length + manifest.weight_chunks.length, 'chunk')}
      </Fact>
      <Fact name="Cost of an answer">{formatCount(BigInt(manifest.estimated_instructions))} instructions</Fact>
      <Fact name="Equality test">{formatUnits(manifest.equality.length, 'vector')}, difference at most {(Number(manifest.tolerance_e9) / 1e9).toExponential(0)}</Fact>
      <Fact name="Manifest">
        <Hash value={release.manifest_hash} label="manifest hash" />
      </Fact>
    </Facts>
  );
}

function ParametersForm({ model, onPropose }: FormProps) {
  const symbol = useSymbol();
  const now = model.parameters;
  const [price, setPrice] = useState(formatE8s(now.price_e8s).replaceAll(',', ''));
  const [treasury, setTreasury] = useState<number | string>(now.treasury_bps / 100);
  const [voting, setVoting] = useState<number | string>(Number(BigInt(now.voting_period_ns) / (60n * NS_PER_SECOND)));
  const amount = parseTokens(price);
  const propose = () => {
    if (amount === null) return;
    const voting_period_ns = BigInt(Math.round(Number(voting))) * 60n * NS_PER_SECOND;
    const quiet = BigInt(now.quiet_period_ns);
    onPropose({
      kind: 'parameters',
      parameters: { price_e8s: amount, treasury_bps: BigInt(Math.round(Number(treasury) * 100)), voting_period_ns, quiet_period_ns: quiet < voting_period_ns ? quiet : voting_period_ns },
    });
  };
  return (
    <Stack>
      <TextInput label="Price of an answer" description={`In ${symbol}`} inputMode="decimal" value={price} onChange={(event) => setPrice(event.currentTarget.value)} error={amount === null && 'An amount of tokens with at most 8 decimals.'} />
      <NumberInput label="Kept for the treasury" description="Percent of each payment, at most 20" min={0} max={20} decimalScale={2} value={treasury} onChange={setTreasury} />
      <NumberInput label="A vote is open for" description="Minutes, 1 to 43,200 (30 days)" min={1} max={43_200} allowDecimal={false} value={voting} onChange={setVoting} />
      <Button style={{ alignSelf: 'flex-end' }} disabled={amount === null || treasury === '' || voting === ''} onClick={propose}>
        Review and sign
      </Button>
    </Stack>
  );
}

function TreasuryForm({ onPropose }: { onPropose: FormProps['onPropose'] }) {
  const symbol = useSymbol();
  const [to, setTo] = useState('');
  const [text, setText] = useState('');
  const amount = parseTokens(text);
  const valid = /^([a-z0-9]{5}-)+[a-z0-9]{1,5}$/.test(to);
  return (
    <Stack>
      <TextInput label="To" description="A principal" value={to} onChange={(event) => setTo(event.currentTarget.value.trim())} error={to !== '' && !valid && 'Not a principal.'} />
      <TextInput label="Amount" description={`In ${symbol}, from the treasury`} inputMode="decimal" value={text} onChange={(event) => setText(event.currentTarget.value)} error={text !== '' && amount === null && 'An amount of tokens with at most 8 decimals.'} />
      <Text size="sm" c="dimmed">
        This is critical: two thirds of the votes cast, and a fifth of all shares, must say yes.
      </Text>
      <Button style={{ alignSelf: 'flex-end' }} disabled={!valid || amount === null || amount === 0n} onClick={() => amount !== null && onPropose({ kind: 'treasury', to, amount })}>
        Review and sign
      </Button>
    </Stack>
  );
}
