// A proposal as a deed.
import type { QueryClient } from '@tanstack/react-query';
import { Amount } from '@/components/facts';
import type { Deed } from '@/components/ReviewSheet';
import type { JobRelease, Model } from '@/lib/api/types';
import type { Chain } from '@/lib/chain/load';
import { indexed, signAndCall } from '@/lib/chain/load';
import type { ParametersArg, ProposalAnswer } from '@/lib/contracts/cooperative';
import { formatE8s, formatSpan } from '@/lib/format';
import { manifestArg } from '@/lib/tensors';
import { e8s } from '@/lib/units';

export type Proposing =
  | { kind: 'release'; release: JobRelease }
  | { kind: 'parameters'; parameters: ParametersArg }
  | { kind: 'treasury'; to: string; amount: bigint };

export function proposeDeed(queries: QueryClient, model: Model, what: Proposing, summary: string, holder: { id: bigint | null }): Deed {
  return {
    title: `Propose: ${titleOf(what)}`,
    button: 'Propose this to the owners',
    changes: [`The owners can vote on it for ${formatSpan(model.parameters.voting_period_ns)}.`, 'Your own vote is a second step.', ...ifAdopted(what)],
    seenBy: 'Everybody: proposals and votes are public.',
    cost: 'Nothing.',
    undo: 'It cannot be taken back; the owners can reject it.',
    steps: [
      {
        name: 'Propose it on the chain',
        signed: true,
        run: async ({ stage }) => {
          const { value } = await signAndCall<ProposalAnswer>(
            queries,
            (chain) => ({ canister: model.canister, contract: chain.cooperative, method: 'proposal_submit', args: [{ title: titleOf(what), summary, kind: kindArg(chain, what) }] }),
            stage,
          );
          holder.id = value.id;
          await indexed(queries, model.canister, value.block);
        },
      },
    ],
  };
}

function titleOf(what: Proposing): string {
  if (what.kind === 'release') return `Release: ${what.release.manifest.title}`.slice(0, 200);
  if (what.kind === 'parameters') return `New terms: ${formatE8s(what.parameters.price_e8s)} an answer`;
  return `Pay ${formatE8s(what.amount)} from the treasury`;
}

function ifAdopted(what: Proposing) {
  if (what.kind === 'release') return ['If it is adopted, it is installed by the vote itself, tested on the chain against ONNX Runtime, and goes live. The release that is live now is superseded.'];
  if (what.kind === 'parameters') return [<>If it is adopted, an answer costs <Amount e8s={e8s(what.parameters.price_e8s)} /> from then on.</>];
  return [<>If it is adopted, <Amount e8s={e8s(what.amount)} /> leave the treasury for {what.to}.</>];
}

function kindArg(chain: Chain, what: Proposing) {
  if (what.kind === 'release') return { Release: manifestArg(what.release.manifest) };
  if (what.kind === 'parameters') return { Parameters: what.parameters };
  return { TreasuryTransfer: { to: chain.Principal.fromText(what.to), amount_e8s: what.amount } };
}
