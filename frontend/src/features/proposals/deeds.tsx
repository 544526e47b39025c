// Voting, and carrying out what was adopted.
import type { QueryClient } from '@tanstack/react-query';
import type { Deed } from '@/components/ReviewSheet';
import type { Proposal } from '@/lib/api/types';
import { indexed, signAndCall } from '@/lib/chain/load';
import type { ProposalAnswer } from '@/lib/contracts/cooperative';
import { formatBps } from '@/lib/format';

export function voteDeed(queries: QueryClient, proposal: Proposal, shares: number, yes: boolean): Deed {
  return {
    title: `Vote ${yes ? 'yes' : 'no'} on "${proposal.title}"`,
    button: yes ? 'Vote yes' : 'Vote no',
    loss: !yes,
    changes: [
      `${formatBps(shares)} of the votes are counted as ${yes ? 'yes' : 'no'}.`,
      yes ? 'If this decides the vote, the proposal is carried out at once, by the canister itself.' : 'If this decides the vote, the proposal is rejected and everything stays as it is.',
    ],
    seenBy: 'Everybody: votes are public.',
    cost: 'Nothing.',
    undo: 'A vote cannot be changed.',
    steps: [
      {
        name: `Vote ${yes ? 'yes' : 'no'} on the chain`,
        signed: true,
        run: async ({ stage }) => {
          const args = [{ proposal_id: BigInt(proposal.id), yes }];
          await signAndCall<ProposalAnswer>(queries, (chain) => ({ canister: proposal.model, contract: chain.cooperative, method: 'proposal_vote', args }), stage);
          await indexed(queries, proposal.model);
        },
      },
    ],
  };
}

/** Anybody may: the canister does it by itself too, a little later. */
export function carryOutDeed(queries: QueryClient, proposal: Proposal): Deed {
  return {
    title: `Carry out "${proposal.title}"`,
    button: 'Carry it out now',
    changes: ['What the owners have adopted is done. It happens by itself too; this only makes it happen now.'],
    seenBy: 'Everybody.',
    cost: 'Nothing.',
    undo: 'The owners can adopt something else later.',
    steps: [
      {
        name: 'Carry it out on the chain',
        signed: true,
        run: async ({ stage }) => {
          await signAndCall<ProposalAnswer>(queries, (chain) => ({ canister: proposal.model, contract: chain.cooperative, method: 'proposal_execute', args: [BigInt(proposal.id)] }), stage);
          await indexed(queries, proposal.model);
        },
      },
    ],
  };
}
