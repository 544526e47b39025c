// "How do we know?": the same drawer on every object. The record, its block, the hash chain up to the tip that the network has certified,
// all checked here in the page; and the command that checks it without us.
import { Alert, Button, Drawer, Progress, Stack, Text, Title, VisuallyHidden } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { useNetwork } from '@/lib/api/network';
import type { Network, Proof } from '@/lib/api/types';
import { loadChain } from '@/lib/chain/load';
import { formatAbsolute, formatCount, formatUnits, words } from '@/lib/format';
import { saveAs } from '@/lib/save';
import { nanos } from '@/lib/units';
import { Fact, Facts, Hash } from './facts';
import css from './proof.module.css';
import { errorText } from './states';

export interface HowDoWeKnowProps {
  proof: Proof;
  /** What is claimed: "this dataset". */
  of: string;
  /** Small, for rows of tables. */
  compact?: boolean;
}

export function HowDoWeKnow({ proof, of, compact = false }: HowDoWeKnowProps) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button variant={compact ? 'subtle' : 'default'} size={compact ? 'compact-xs' : 'sm'} onClick={() => setOpen(true)}>
        {compact ? (
          <>
            block {proof.block}
            <VisuallyHidden>: how do we know {of}?</VisuallyHidden>
          </>
        ) : (
          'How do we know?'
        )}
      </Button>
      <Drawer opened={open} onClose={() => setOpen(false)} title="How do we know?" size="lg" closeButtonProps={{ 'aria-label': 'Close' }}>
        {open && <Evidence proof={proof} of={of} />}
      </Drawer>
    </>
  );
}

function Evidence({ proof, of }: { proof: Proof; of: string }) {
  const network = useNetwork();
  if (!network.data) return <Text c="dimmed">Asking which network this is …</Text>;
  return <Verified proof={proof} of={of} network={network.data} />;
}

function Verified({ proof, of, network }: { proof: Proof; of: string; network: Network }) {
  const [progress, setProgress] = useState<{ done: number; total: number } | null>(null);
  const check = useQuery({
    queryKey: ['verified', network.root_key, proof.canister, proof.block],
    queryFn: async () => {
      const chain = await loadChain();
      const found = await chain.verifyBlock(network.root_key, proof.canister, BigInt(proof.block), (done, total) => setProgress({ done, total }));
      return { ...found, shown: chain.shownBlock(found.block) };
    },
    staleTime: 60_000,
    retry: false,
  });
  const log = network.logs.find((entry) => entry.canister === proof.canister);
  return (
    <Stack gap="lg">
      <Text>
        What this page says about {of} follows from block {formatCount(proof.block)} of the log that the {log?.name ?? 'canister'} keeps on the chain. The marketplace could show
        something else; it could not make this block fit.
      </Text>
      {check.isPending && (
        <div role="status">
          <Text size="sm">Fetching the blocks from the canister, and checking them in this page …</Text>
          {progress && <Progress value={(100 * progress.done) / progress.total} size="sm" mt={6} aria-label="Blocks fetched" />}
        </div>
      )}
      {check.error && (
        <Alert color="red" variant="light" role="alert" title="This does not verify">
          <Text size="sm">{errorText(check.error)}</Text>
          <Button size="xs" variant="default" mt="sm" onClick={() => void check.refetch()}>
            Check again
          </Button>
        </Alert>
      )}
      {check.data && (
        <>
          <Stack gap={8} role="status" aria-label="Verified in this page">
            <Check>
              Block {formatCount(check.data.index)} hashes to <Hash value={check.data.hash} label="block hash" />.
            </Check>
            <Check>
              {check.data.followed === 1
                ? 'It is the last block of the log.'
                : `Its hash is named by the next block, and so on: ${formatUnits(check.data.followed, 'block')} followed to the last one, ${formatCount(check.data.tip.index)}.`}
            </Check>
            <Check>
              The network certified that last block at {formatAbsolute(check.data.certified_at_ns)}, by a signature that holds against its root key{' '}
              <Hash value={network.root_key} label="root key" />.
            </Check>
          </Stack>
          <div>
            <Title order={3} mb={6}>
              The block
            </Title>
            <div className={css.value}>
              <ValueTree value={check.data.shown} />
            </div>
          </div>
        </>
      )}
      <div>
        <Title order={3} mb={6}>
          Where it is
        </Title>
        <Facts>
          <Fact name="Canister">
            {log ? `${words(log.name)} ` : ''}
            <Hash value={proof.canister} label="canister" whole />
          </Fact>
          <Fact name="Block">{formatCount(proof.block)}</Fact>
        </Facts>
      </div>
      <WithoutUs network={network} />
    </Stack>
  );
}

const Check = ({ children }: { children: ReactNode }) => (
  <div className={css.check}>
    <span aria-hidden>✓</span>
    <span>{children}</span>
  </div>
);

/** Who deployed does not matter for checking; the file's form asks for somebody. */
const ANYBODY = '2vxsx-fae';

function WithoutUs({ network }: { network: Network }) {
  const commands = [
    'python -m canisters.client collect --deployment deployment.json --out line.bundle',
    `python -m canisters.client verify line.bundle --root-key ${network.root_key}`,
  ];
  const deployment = { network: network.network, url: location.origin, root_key: network.root_key, canisters: network.canisters, deployer: ANYBODY };
  return (
    <div>
      <Title order={3} mb={6}>
        Without us
      </Title>
      <Text size="sm" mb={6}>
        From a copy of the project, on a machine of your own: the first command fetches logs and certificates, the second checks them all offline, given nothing but the root key.
      </Text>
      <pre className={css.command}>{commands.join('\n')}</pre>
      <Button variant="default" size="xs" mt={8} onClick={() => saveAs('deployment.json', `${JSON.stringify(deployment, null, 1)}\n`)}>
        Save deployment.json
      </Button>
      {network.network === 'embedded' && (
        <Text size="sm" c="dimmed" mt={8}>
          This is the embedded network: one machine holds its keys, so this proves that the operator cannot change what it has certified without being seen, not that several
          parties agreed.
        </Text>
      )}
    </div>
  );
}

type Shown = string | Shown[] | { [key: string]: Shown };

function ValueTree({ value, name }: { value: Shown; name?: string }) {
  if (typeof value === 'string') {
    if (name === 'ts' || name?.endsWith('_ns')) return <>{formatAbsolute(nanos(value))}</>;
    return <>{value.length > 48 && /^[0-9a-f]+$/.test(value) ? <Hash value={value} label={name ?? 'value'} /> : value}</>;
  }
  if (Array.isArray(value)) {
    return (
      <dl>
        {value.map((item, i) => (
          <dd key={i}>
            <ValueTree value={item} />
          </dd>
        ))}
      </dl>
    );
  }
  return (
    <dl>
      {Object.entries(value).map(([key, item]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>
            <ValueTree value={item} name={key} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
