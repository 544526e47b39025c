// Setting or changing a dataset's policy. `?like=JOB` starts from a request: "always like this".
import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router';
import { KeyFileGate } from '@/components/KeyFileGate';
import { PageHead, Section } from '@/components/layout';
import { PolicyForm, usePolicyWords } from '@/components/PolicyForm';
import { useReview, type DeedStep } from '@/components/ReviewSheet';
import { Denied, Loading, Shown } from '@/components/states';
import { Person } from '@/components/Thread';
import { useDataset } from '@/lib/api/datasets';
import { jobQuery, useWorkers } from '@/lib/api/jobs';
import type { Dataset, Job } from '@/lib/api/types';
import { indexed, signAndCall } from '@/lib/chain/load';
import type { RegistryBlock } from '@/lib/contracts/registry';
import { giveKeys } from '@/lib/grant';
import { usePrincipal } from '@/lib/identity/session';
import { draftOf, faults, newDraft, termsOf, type PolicyDraft } from '@/lib/policy';

export function PolicyPage() {
  const id = Number(useParams().id);
  const [search] = useSearchParams();
  const like = search.get('like');
  const query = useDataset(id);
  const workers = useWorkers();
  const job = useQuery({ ...jobQuery(Number(like)), enabled: like !== null, refetchInterval: false });
  const me = usePrincipal();
  return (
    <Shown query={query} what="dataset">
      {(dataset) => {
        if (me !== dataset.owner) {
          return (
            <Denied title="Only its owner can set the policy of this dataset">
              That is <Person principal={dataset.owner} />. Sign in with that key to change it; nobody else can, not even whoever runs this site.
            </Denied>
          );
        }
        if (workers.isPending || (like !== null && job.isPending)) return <Loading what="the policy" />;
        return <Editor dataset={dataset} start={startFrom(dataset, job.data ?? null, workers.data?.map((w) => w.principal) ?? [])} like={job.data ?? null} />;
      }}
    </Shown>
  );
}

/** "Always like this": what is allowed now, narrowed to this builder, purpose and code, and approved by itself. */
function startFrom(dataset: Dataset, like: Job | null, workers: string[]): PolicyDraft {
  const now = dataset.policy ? draftOf(dataset.policy) : newDraft(workers);
  return like ? { ...now, decision: 'AutoApprove', audience: [like.builder], purposes: [like.purpose], code: [like.code_hash] } : now;
}

function Editor({ dataset, start, like }: { dataset: Dataset; start: PolicyDraft; like: Job | null }) {
  const [draft, setDraft] = useState(start);
  const [touched, setTouched] = useState(false);
  const wrong = faults(draft);
  const words = usePolicyWords(draft);
  const review = useReview();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const expected = dataset.policy?.version ?? 0;

  async function sign() {
    setTouched(true);
    if (Object.keys(wrong).length) return;
    const done = await review({
      title: `Set policy version ${expected + 1}`,
      button: 'Set this policy',
      changes: [...words, ...(expected ? ['Requests that are approved or waiting under the policy it replaces cannot start any more; their builders have to propose again.'] : [])],
      seenBy: 'Everybody: policies are public.',
      cost: 'Nothing.',
      undo: 'You can replace it by another at any time. What was trained under it stays.',
      steps: policySteps(queries, dataset, draft, expected),
    });
    if (done) await navigate(`/datasets/${dataset.id}`);
  }

  return (
    <>
      <PageHead title={expected ? 'Change the policy' : 'Set a policy'} lead={<>For <Link to={`/datasets/${dataset.id}`}>{dataset.title}</Link>. The registry canister decides by it; nobody else can change it.</>} />
      <Stack>
        {like && (
          <Alert variant="light" color="amber" title="Always like this">
            <Text size="sm">
              The fields below allow requests such as &ldquo;{like.title}&rdquo;: this builder, this purpose, this code. Widen or narrow them. {like.state === 'proposed' && 'This request itself was made under the present policy: approve it first and change the policy once a worker has claimed it, or its builder has to propose again.'}
            </Text>
          </Alert>
        )}
        <Section title="What may be done with it">
          <PolicyForm draft={draft} onChange={setDraft} faults={touched ? wrong : {}} columns={dataset.schema?.columns.map((column) => column.name) ?? []} />
        </Section>
        <KeyGate dataset={dataset} draft={draft}>
          <Group justify="flex-end">
            <Button variant="default" component={Link} to={`/datasets/${dataset.id}`}>
              Not now
            </Button>
            <Button onClick={() => void sign()}>Review and sign</Button>
          </Group>
        </KeyGate>
      </Stack>
    </>
  );
}

/** A policy that lets workers in needs the key at hand; one that denies does not. */
function KeyGate({ dataset, draft, children }: { dataset: Dataset; draft: PolicyDraft; children: React.ReactNode }) {
  const gives = draft.decision === 'AutoApprove' && draft.workers.length > 0;
  return gives ? <KeyFileGate owner={dataset.owner} versions={dataset.versions}>{children}</KeyFileGate> : children;
}

function policySteps(queries: QueryClient, dataset: Dataset, draft: PolicyDraft, expected: number): DeedStep[] {
  const set: DeedStep = {
    name: 'Set the policy on the chain',
    signed: true,
    run: async ({ stage }) => {
      const { value } = await signAndCall<RegistryBlock>(
        queries,
        (chain) => ({
          canister: 'registry',
          contract: chain.registry,
          method: 'policy_set',
          args: [{ dataset_id: BigInt(dataset.id), expected_version: BigInt(expected), terms: termsOf(draft, (text) => chain.Principal.fromText(text)) }],
        }),
        stage,
      );
      await indexed(queries, 'registry', value.block);
    },
  };
  const give: DeedStep = {
    name: 'Wrap the key for the workers it names',
    run: ({ progress }) => giveKeys(queries, { owner: dataset.owner, dataset: dataset.id, versions: dataset.versions, workers: draft.workers }, progress),
  };
  return draft.decision === 'AutoApprove' && draft.workers.length > 0 ? [set, give] : [set];
}
