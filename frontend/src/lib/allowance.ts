// Allowing a canister to draw an amount from the person's account (ICRC-2): what is drawn, plus the ledger's fee for drawing it.
import type { QueryClient } from '@tanstack/react-query';
import { signAndCall, type Stage } from './chain/load';
import type { ApproveArg } from './contracts/ledger';
import { NS_PER_SECOND, e8s, nowNs, type E8s } from './units';

const VALID_NS = 600n * NS_PER_SECOND;

/** What leaves the account in all: the amount, the fee of the approval, the fee of the transfer. */
export const costWithFees = (amount: bigint, fee: bigint): E8s => e8s(amount + 2n * fee);

/** Lets `spender` draw `amount` once, within ten minutes. Replaces what it was allowed before. Returns the ledger's block. */
export async function allow(queries: QueryClient, spender: string, amount: bigint, onStage?: (stage: Stage) => void): Promise<bigint> {
  const { value } = await signAndCall<bigint>(
    queries,
    (chain, network) => {
      const fee = BigInt(network.token.fee_e8s);
      const arg: ApproveArg = {
        from_subaccount: [],
        spender: chain.accountOf(chain.Principal.fromText(spender)),
        amount: amount + fee,
        expected_allowance: [],
        expires_at: [nowNs() + VALID_NS],
        fee: [fee],
        memo: [],
        created_at_time: [],
      };
      return { canister: 'ledger', contract: chain.ledger, method: 'icrc2_approve', args: [arg] };
    },
    onStage,
  );
  return value;
}
