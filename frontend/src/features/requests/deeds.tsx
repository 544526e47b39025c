// The two answers to a request, as deeds: what each changes, and the steps that carry it out.
import type { QueryClient } from '@tanstack/react-query';
import { useReview } from '@/components/ReviewSheet';
import type { Approval, DatasetVersion, Job } from '@/lib/api/types';
import { indexed, signAndCall } from '@/lib/chain/load';
import type { JobAnswer } from '@/lib/contracts/jobs';
import { formatTokens, formatUnits } from '@/lib/format';
import { useSymbol } from '@/lib/api/network';
import { giveKeys } from '@/lib/grant';

export interface Approving {
  job: Job;
  approval: Approval;
  versions: DatasetVersion[];
  workers: string[];
}

export function useApprove(queries: QueryClient) {
  const review = useReview();
  const symbol = useSymbol();
  return async ({ job, approval, versions, workers }: Approving) => {
    const price = formatTokens(approval.price_e8s, symbol);
    await review({
      title: `Approve "${job.title}"`,
      button: 'Approve this request',
      changes: [
        <>The job may use version {approval.version} of &ldquo;{approval.dataset_title}&rdquo;, once, for &ldquo;{job.purpose}&rdquo;.</>,
        `${formatUnits(workers.length, 'worker')} will be able to open that version: its key is wrapped in this browser for each of them.`,
        `You are paid ${price} when the job is settled, and get a share of the model by what your data was worth to it.`,
      ],
      seenBy: 'Everybody sees that you approved. The rows are seen by the worker that claims the job, and by nobody else.',
      cost: 'Nothing.',
      undo: 'You can take it back until a worker claims the job. After that the worker has the data.',
      steps: [
        {
          name: 'Approve on the chain',
          signed: true,
          run: async ({ stage }) => {
            await approveOnce(queries, job, approval, workers, stage);
            await indexed(queries, 'jobs');
          },
        },
        {
          name: 'Wrap the key for the worker',
          run: ({ progress }) => giveKeys(queries, { owner: approval.owner, dataset: approval.dataset_id, versions, workers }, progress),
        },
      ],
    });
  };
}

async function approveOnce(queries: QueryClient, job: Job, approval: Approval, workers: string[], stage: Parameters<typeof signAndCall>[2]): Promise<void> {
  await signAndCall<JobAnswer>(
    queries,
    (chain) => ({
      canister: 'jobs',
      contract: chain.jobs,
      method: 'job_approve',
      args: [
        {
          job_id: BigInt(job.id),
          dataset_id: BigInt(approval.dataset_id),
          policy_version: BigInt(approval.policy_version),
          workers: workers.map((text) => chain.Principal.fromText(text)),
        },
      ],
    }),
    stage,
  );
}

export function useDeny(queries: QueryClient) {
  const review = useReview();
  return async (job: Job, approval: Approval, reason: string) => {
    await review({
      title: `Deny "${job.title}"`,
      button: 'Deny this request',
      loss: true,
      changes: ['The job cannot start. Its builder can propose another.', <>The reason given: &ldquo;{reason}&rdquo;.</>],
      seenBy: 'Everybody, the reason too: it is recorded on the chain.',
      cost: 'Nothing.',
      undo: 'It cannot be taken back for this job. You can approve a new one.',
      steps: [
        {
          name: 'Deny on the chain',
          signed: true,
          run: async ({ stage }) => {
            const args = [{ job_id: BigInt(job.id), dataset_id: BigInt(approval.dataset_id), reason }];
            await signAndCall<JobAnswer>(queries, (chain) => ({ canister: 'jobs', contract: chain.jobs, method: 'job_deny', args }), stage);
            await indexed(queries, 'jobs');
          },
        },
      ],
    });
  };
}
