// What a builder, or a shareholder, can do with a job: fund it, take it back, found the cooperative of its model.
import { Text } from '@mantine/core';
import type { QueryClient } from '@tanstack/react-query';
import { Amount } from '@/components/facts';
import type { Deed, DeedStep } from '@/components/ReviewSheet';
import type { Job, Network } from '@/lib/api/types';
import { allow, costWithFees } from '@/lib/allowance';
import { indexed, knownNetwork, signAndCall } from '@/lib/chain/load';
import { ChainRefused } from '@/lib/contracts/errors';
import type { ParametersArg } from '@/lib/contracts/cooperative';
import type { CooperativeAnswer } from '@/lib/contracts/cooperatives';
import type { JobAnswer } from '@/lib/contracts/jobs';
import { e8s } from '@/lib/units';

/** Allows the jobs canister to draw the budget, then has it drawn into escrow. */
export function fundingSteps(queries: QueryClient, budget: bigint, jobId: (results: readonly unknown[]) => bigint): DeedStep[] {
  return [
    {
      name: 'Allow the jobs canister to draw the budget',
      signed: true,
      run: async ({ stage }) => allow(queries, (await knownNetwork(queries)).canisters.jobs, budget, stage),
    },
    {
      name: 'Pay the budget into escrow',
      signed: true,
      run: async ({ stage }, results) => {
        const { value } = await signAndCall<JobAnswer>(queries, (chain) => ({ canister: 'jobs', contract: chain.jobs, method: 'job_fund', args: [jobId(results)] }), stage);
        await indexed(queries, 'jobs');
        return value.id;
      },
    },
  ];
}

export function fundDeed(queries: QueryClient, job: Job, network: Network): Deed {
  const budget = BigInt(job.budget_e8s);
  return {
    title: `Fund "${job.title}"`,
    button: 'Fund this job',
    changes: [<><Amount e8s={job.budget_e8s} /> move from your account into the escrow of this job.</>, 'A worker that every owner has named can claim it then.'],
    seenBy: 'Everybody: the ledger is public.',
    cost: <><Amount e8s={costWithFees(budget, BigInt(network.token.fee_e8s))} />, of which two fees of <Amount e8s={network.token.fee_e8s} /> go to the ledger. What is left over comes back to you.</>,
    undo: 'You can cancel until a worker claims the job; the escrow is yours again then.',
    steps: fundingSteps(queries, budget, () => BigInt(job.id)),
  };
}

export function cancelDeed(queries: QueryClient, job: Job): Deed {
  return {
    title: `Cancel "${job.title}"`,
    button: 'Cancel this job',
    loss: true,
    changes: ['The job ends. No worker can claim it.', BigInt(job.escrow_e8s) > 0n ? <>The <Amount e8s={job.escrow_e8s} /> in escrow are yours to claim, on your earnings page.</> : 'Nothing was paid for it.'],
    seenBy: 'Everybody: it is recorded on the chain.',
    cost: 'Nothing.',
    undo: 'It cannot be taken back. You can propose the same again.',
    steps: [
      {
        name: 'Cancel it on the chain',
        signed: true,
        run: async ({ stage }) => {
          await signAndCall<JobAnswer>(queries, (chain) => ({ canister: 'jobs', contract: chain.jobs, method: 'job_cancel', args: [BigInt(job.id)] }), stage);
          await indexed(queries, 'jobs');
        },
      },
    ],
  };
}

export function expireDeed(queries: QueryClient, job: Job): Deed {
  return {
    title: `Close "${job.title}"`,
    button: 'Close this job',
    changes: ['Its deadline has passed: the job is recorded as expired, and what is in escrow is its builder\'s again.'],
    seenBy: 'Everybody: it is recorded on the chain.',
    cost: 'Nothing.',
    undo: 'It cannot be taken back.',
    steps: [
      {
        name: 'Close it on the chain',
        signed: true,
        run: async ({ stage }) => {
          await signAndCall<JobAnswer>(queries, (chain) => ({ canister: 'jobs', contract: chain.jobs, method: 'job_expire', args: [BigInt(job.id)] }), stage);
          await indexed(queries, 'jobs');
        },
      },
    ],
  };
}

export interface Founding {
  name: string;
  parameters: ParametersArg;
}

/** `holder.canister` is the new cooperative, once it is there. */
export function foundDeed(queries: QueryClient, job: Job, founding: Founding, holder: { canister: string | null }): Deed {
  return {
    title: `Found the cooperative of "${founding.name}"`,
    button: 'Found this cooperative',
    changes: [
      'A canister is created that belongs to those who share in this job, by their shares; nobody else controls it, you neither.',
      'It creates the canister in which the model will run, as its only controller. A release goes live there only by a vote.',
      <>An answer costs <Amount e8s={e8s(founding.parameters.price_e8s)} /> to begin with; the owners can change that by a vote.</>,
    ],
    seenBy: 'Everybody: the cooperative, its owners and their shares are public.',
    cost: 'Nothing.',
    undo: 'It cannot be taken back: a job has one cooperative.',
    steps: [
      {
        name: 'Found it on the chain',
        signed: true,
        run: async ({ stage }) => {
          const args = [{ job_id: BigInt(job.id), name: founding.name, parameters: founding.parameters }];
          try {
            const { value } = await signAndCall<CooperativeAnswer>(queries, (chain) => ({ canister: 'cooperatives', contract: chain.cooperatives, method: 'cooperative_create', args }), stage);
            holder.canister = value.canister.toText();
            await indexed(queries, 'cooperatives', value.block);
          } catch (error) {
            if (error instanceof ChainRefused && error.tag === 'AlreadyExists') await indexed(queries, 'cooperatives');
            throw error;
          }
        },
      },
    ],
    done: () => <Text>The cooperative is there. Its owners can now propose a release and vote on it.</Text>,
  };
}
