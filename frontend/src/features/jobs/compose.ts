// From a composed draft to a proposal on the chain.
import type { QueryClient } from '@tanstack/react-query';
import type { DeedStep } from '@/components/ReviewSheet';
import { keepConfig } from '@/lib/api/jobs';
import type { DatasetSummary, KeptConfig, Recipe } from '@/lib/api/types';
import { fromHex, randomBytes } from '@/lib/bytes';
import { indexed, signAndCall } from '@/lib/chain/load';
import type { JobAnswer, JobArg } from '@/lib/contracts/jobs';
import { variantTag } from '@/lib/contracts/errors';
import { NS_PER_SECOND, nowNs } from '@/lib/units';

export interface JobDraft {
  title: string;
  purpose: string;
  recipe: Recipe;
  config: Record<string, unknown>;
  datasets: DatasetSummary[];
  workerFee: bigint;
  budget: bigint;
  hours: number;
}

const TERMS = { contributors_bps: 7_000n, builder_bps: 2_000n, worker_bps: 1_000n, valuation: 'shapley' };

export function proposalSteps(queries: QueryClient, draft: JobDraft, holder: { job: bigint | null; state: string }): DeedStep[] {
  // One key for however many tries: the same key proposes once.
  const key = randomBytes(32);
  return [
    { name: 'Have the settings checked and kept', run: () => keepConfig(draft.recipe.name, draft.config) },
    {
      name: 'Propose it on the chain',
      signed: true,
      run: async ({ stage }, results) => {
        const args = [jobArgs(draft, results[0] as KeptConfig, key)];
        const { value } = await signAndCall<JobAnswer>(queries, (chain) => ({ canister: 'jobs', contract: chain.jobs, method: 'job_propose', args }), stage);
        holder.job = value.id;
        holder.state = variantTag(value.state);
        await indexed(queries, 'jobs');
      },
    },
  ];
}

export function jobArgs(draft: JobDraft, kept: KeptConfig, key: Uint8Array): JobArg {
  const now = nowNs();
  const span = BigInt(Math.round(draft.hours * 3600)) * NS_PER_SECOND;
  return {
    key,
    title: draft.title,
    purpose: draft.purpose,
    recipe: draft.recipe.name,
    datasets: draft.datasets.map((dataset) => ({ dataset_id: BigInt(dataset.id), version: BigInt(dataset.version) })),
    code_hash: fromHex(kept.code_hash),
    config_hash: fromHex(kept.config_hash),
    seed: new DataView(randomBytes(8).buffer).getBigUint64(0) >> 1n,
    compute: { Central: null },
    epsilon_micros: [],
    terms: TERMS,
    worker_fee_e8s: draft.workerFee,
    budget_e8s: draft.budget,
    worker: [],
    approve_by_ns: now + span,
    finish_by_ns: now + 2n * span,
  };
}
