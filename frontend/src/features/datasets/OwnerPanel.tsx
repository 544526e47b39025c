// What only the owner sees: the key of the data, who it was given to, and withdrawing.
import { Button, Group, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Amount } from '@/components/facts';
import { KeyFileGate } from '@/components/KeyFileGate';
import { Section } from '@/components/layout';
import { SaveKeyFile } from '@/components/SaveKeyFile';
import { useReview, type Deed } from '@/components/ReviewSheet';
import { Shown } from '@/components/states';
import { Person } from '@/components/Thread';
import { datasetKeysQuery } from '@/lib/api/datasets';
import { useEarnings } from '@/lib/api/accounts';
import { useWorkers } from '@/lib/api/jobs';
import type { Dataset, Worker } from '@/lib/api/types';
import { indexed, signAndCall } from '@/lib/chain/load';
import type { RegistryBlock } from '@/lib/contracts/registry';
import { giveKeys } from '@/lib/grant';
import { e8s } from '@/lib/units';

export function OwnerPanel({ dataset }: { dataset: Dataset }) {
  const earnings = useEarnings(dataset.owner);
  const earned = e8s(earnings.data?.by_dataset.find((entry) => entry.dataset_id === dataset.id)?.amount_e8s ?? 0n);
  return (
    <Section title="Yours">
      <Stack gap="md">
        <Text>
          Earned so far: <Amount e8s={earned} />
        </Text>
        <KeysGiven dataset={dataset} />
        <KeyFileGate owner={dataset.owner} versions={dataset.versions}>
          <GiveKey dataset={dataset} />
          <SaveKey dataset={dataset} />
        </KeyFileGate>
        <WithdrawButton dataset={dataset} />
      </Stack>
    </Section>
  );
}

function KeysGiven({ dataset }: { dataset: Dataset }) {
  const keys = useQuery(datasetKeysQuery(dataset.id));
  return (
    <div>
      <Text size="sm" fw={500}>
        Workers that hold a wrapped key
      </Text>
      <Shown query={keys} what="keys">
        {(rows) =>
          rows.length === 0 ? (
            <Text size="sm" c="dimmed">
              None: nobody but you can open it.
            </Text>
          ) : (
            <Stack gap={2}>
              {rows.map((row) => (
                <Group key={`${row.version}/${row.worker}`} gap="xs">
                  <Person principal={row.worker} /> <Text size="sm" c="dimmed">version {row.version}</Text>
                </Group>
              ))}
            </Stack>
          )
        }
      </Shown>
    </div>
  );
}

/** For a worker that the policy or an approval names, when its key did not get through then. */
function GiveKey({ dataset }: { dataset: Dataset }) {
  const workers = useWorkers();
  const keys = useQuery(datasetKeysQuery(dataset.id));
  const review = useReview();
  const queries = useQueryClient();
  const holds = (principal: string): boolean => dataset.versions.every((version) => keys.data?.some((key) => key.worker === principal && key.version === version.version));
  const without = workers.data?.filter((worker) => keys.data && !holds(worker.principal)) ?? [];
  const give = (worker: Worker) =>
    review({
      title: `Let ${worker.name} have the key`,
      button: 'Wrap the key for this worker',
      changes: [<>The key of this dataset is wrapped in this browser, so that {worker.name} alone can open it.</>, 'A worker claims only jobs that every owner has agreed to; but it is trusted to open your data for those alone.'],
      seenBy: 'You, and that worker.',
      cost: 'Nothing.',
      undo: 'A worker that has opened the key keeps it: it cannot be taken back.',
      steps: [{ name: 'Wrap the key', run: ({ progress }) => giveKeys(queries, { owner: dataset.owner, dataset: dataset.id, versions: dataset.versions, workers: [worker.principal] }, progress) }],
      onDone: () => queries.invalidateQueries({ queryKey: ['dataset', dataset.id, 'keys'] }),
    });
  if (without.length === 0) return null;
  return (
    <Group gap="xs">
      {without.map((worker) => (
        <Button key={worker.principal} variant="subtle" size="compact-xs" onClick={() => void give(worker)}>
          Wrap the key for {worker.name}
        </Button>
      ))}
    </Group>
  );
}

function SaveKey({ dataset }: { dataset: Dataset }) {
  const latest = dataset.versions[dataset.versions.length - 1];
  return latest ? <SaveKeyFile entry={{ ...latest, owner: dataset.owner, title: dataset.title }} name={String(dataset.id)} /> : null;
}

function WithdrawButton({ dataset }: { dataset: Dataset }) {
  const review = useReview();
  const queries = useQueryClient();
  const active = dataset.state === 'active';
  const method = active ? 'dataset_withdraw' : 'dataset_restore';
  const deed: Deed = {
    title: active ? 'Withdraw this dataset' : 'Offer this dataset again',
    button: active ? 'Withdraw this dataset' : 'Offer it again',
    loss: active,
    changes: active
      ? ['No new job can use it, and no approved job that has not been claimed can start.', 'Jobs that are done stay as they are: models trained with it keep their owners, you among them.']
      : ['Jobs can name it again, under the policy it has.'],
    seenBy: 'Everybody: it is recorded on the chain.',
    cost: 'Nothing.',
    undo: active ? 'You can offer it again at any time.' : 'You can withdraw it again at any time.',
    steps: [
      {
        name: active ? 'Withdraw it on the chain' : 'Offer it again on the chain',
        signed: true,
        run: async ({ stage }) => {
          const { value } = await signAndCall<RegistryBlock>(queries, (chain) => ({ canister: 'registry', contract: chain.registry, method, args: [BigInt(dataset.id)] }), stage);
          await indexed(queries, 'registry', value.block);
        },
      },
    ],
  };
  return (
    <Button variant="subtle" color={active ? 'red' : 'teal'} size="xs" onClick={() => void review(deed)} style={{ alignSelf: 'flex-start' }}>
      {active ? 'Withdraw this dataset' : 'Offer this dataset again'}
    </Button>
  );
}
