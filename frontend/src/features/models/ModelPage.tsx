// A model: what it does and a way to try it now; then who owns it, its live release and equality test, releases, calls and money.
import { Button, List, Text } from '@mantine/core';
import { Link, useParams } from 'react-router';
import { AttributionBars } from '@/components/charts/AttributionBars';
import { OwnershipBar } from '@/components/charts/OwnershipBar';
import { Amount, Fact, Facts, Hash, State, When } from '@/components/facts';
import { HowDoWeKnow } from '@/components/HowDoWeKnow';
import { Columns, PageHead, Section } from '@/components/layout';
import { Empty, Shown } from '@/components/states';
import { Person } from '@/components/Thread';
import { useModel } from '@/lib/api/models';
import type { Model } from '@/lib/api/types';
import { formatBps, formatCount, formatSpan, formatUnits } from '@/lib/format';
import { usePrincipal } from '@/lib/identity/session';
import { readCard } from './card';
import { Calls, Proposals } from './Lists';
import { Playground } from './Playground';

export function ModelPage() {
  const canister = useParams().canister ?? '';
  const query = useModel(canister);
  return (
    <Shown query={query} what="model">
      {(model) => <OneModel model={model} />}
    </Shown>
  );
}

function OneModel({ model }: { model: Model }) {
  const me = usePrincipal();
  const holder = model.holders.some((one) => one.owner === me && one.shares > 0);
  const card = readCard(model.card);
  return (
    <>
      <PageHead
        title={model.name}
        state={<State of={model.state} />}
        lead={
          <>
            {card.description ?? (model.live ? 'A model that runs on the chain.' : 'Its owners have not adopted a release yet, so it does not answer.')} It belongs to{' '}
            {formatUnits(model.holders.length, 'owner')} in common and came out of <Link to={`/jobs/${model.job_id}`}>job {model.job_id}</Link>.
          </>
        }
        actions={
          <>
            {holder && <Button component={Link} to={`/models/${model.canister}/propose`} variant={model.live ? 'default' : 'filled'}>{model.live ? 'Propose something' : 'Propose its first release'}</Button>}
            <HowDoWeKnow proof={(model.live ?? model).proof} of="this model" />
          </>
        }
      />
      <Columns
        main={
          <>
            <Section title="Try it now" note={model.live && <><Amount e8s={model.price_e8s} /> an answer</>}>
              {model.live ? <Playground model={model} card={card} /> : <Empty title="It does not answer yet">When its owners adopt a release, it is installed by the vote itself and tested on the chain; from then on anybody can ask it.</Empty>}
            </Section>
            <Section title="Who owns it" note="Shares by what each contribution was worth, as the job's result says.">
              <OwnershipBar label="Shares" parts={model.holders.map((one) => ({ owner: one.owner, bps: one.shares }))} />
            </Section>
            {model.attribution.length > 0 && (
              <Section title="Whose data made it">
                <AttributionBars rows={model.attribution} utility="utility" />
              </Section>
            )}
            <Section title="Proposals and releases">
              <Proposals model={model} />
            </Section>
            <Section title="Paid answers" note={`${formatCount(model.paid_calls)} in all`}>
              <Calls model={model} />
            </Section>
          </>
        }
        side={<Side model={model} limits={card.limits} />}
      />
    </>
  );
}

function Side({ model, limits }: { model: Model; limits: string[] }) {
  return (
    <>
      {model.live && <LiveSection model={model} />}
      <Section title="Money">
        <Facts>
          <Fact name="Price of an answer">
            <Amount e8s={model.price_e8s} />
          </Fact>
          <Fact name="Earned so far">
            <Amount e8s={model.revenue_e8s} />
          </Fact>
          <Fact name="Treasury">
            <Amount e8s={model.treasury_e8s} />
            <Text size="xs" c="dimmed">
              keeps {formatBps(model.parameters.treasury_bps)} of each payment
            </Text>
          </Fact>
        </Facts>
      </Section>
      <Section title="Where it runs">
        <Facts>
          <Fact name="Cooperative">
            <Hash value={model.canister} label="cooperative" whole />
          </Fact>
          <Fact name="Model">
            <Hash value={model.inference} label="inference canister" whole />
            <Text size="xs" c="dimmed">
              its only controller is the cooperative
            </Text>
          </Fact>
          <Fact name="Founded">
            <When ns={model.created_at_ns} /> by <Person principal={model.creator} />
          </Fact>
          <Fact name="Votes">
            open for {formatSpan(model.parameters.voting_period_ns)}; a late turn adds up to {formatSpan(model.parameters.quiet_period_ns)}
          </Fact>
        </Facts>
      </Section>
      {limits.length > 0 && (
        <Section title="What it is not for">
          <List size="sm" spacing={6}>
            {limits.map((limit) => (
              <List.Item key={limit}>{limit}</List.Item>
            ))}
          </List>
        </Section>
      )}
    </>
  );
}

function LiveSection({ model }: { model: Model }) {
  if (!model.live) return null;
  const { live } = model;
  return (
    <Section title="Live release" note={<HowDoWeKnow compact proof={live.proof} of="the live release" />}>
      <Facts>
        <Fact name="Release">
          <Link to={`/models/${model.canister}/proposals/${live.proposal_id}`}>{live.title}</Link>
        </Fact>
        <Fact name="Live since">
          <When ns={live.live_at_ns} />
        </Fact>
        <Fact name="Equality test">
          passed on the chain
          <Text size="xs" c="dimmed">
            largest difference to ONNX Runtime: {(live.max_abs_error_e9 / 1e9).toExponential(1)}
          </Text>
        </Fact>
        <Fact name="Code">
          <Hash value={live.wasm_sha256} label="wasm hash" />
        </Fact>
        <Fact name="Manifest">
          <Hash value={live.manifest_hash} label="manifest hash" />
        </Fact>
      </Facts>
    </Section>
  );
}
