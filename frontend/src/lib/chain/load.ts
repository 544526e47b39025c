// The door to the agent's chunk, and the calls that pages make most: an update as the signed-in person, a query as anybody.
import type { QueryClient } from '@tanstack/react-query';
import { networkQuery } from '@/lib/api/network';
import type { CanisterName, Network } from '@/lib/api/types';
import type { GetBlocksAnswer } from '@/lib/contracts/common';
import { requireIdentity } from '@/lib/identity/session';
import type * as ChainModule from './chain';
import type { Certified, Stage, Target } from './chain';

export type { Certified, Stage, Target };
export type Chain = typeof ChainModule;

export const loadChain = (): Promise<Chain> => import('./chain');

const SETTLE_MS = 12_000;
const LOOK_MS = 400;

/** The network as it was told once: canister ids and root key do not change while the page is open. */
export const knownNetwork = (queries: QueryClient): Promise<Network> => queries.ensureQueryData(networkQuery);

/** Signs as the person who is signed in. `canister`: a platform canister's name, or a principal. */
export async function signAndCall<T>(
  queries: QueryClient,
  what: (chain: Chain, network: Network) => Omit<Target, 'canister'> & { canister: CanisterName | (string & {}) },
  onStage?: (stage: Stage) => void,
): Promise<Certified<T>> {
  const [identity, chain, network] = await Promise.all([requireIdentity(), loadChain(), knownNetwork(queries)]);
  const target = what(chain, network);
  const canister = network.canisters[target.canister as CanisterName] ?? target.canister;
  return chain.callUpdate<T>(network.root_key, await chain.signer(identity), { ...target, canister }, onStage);
}

/** Waits until the marketplace's index has read a log as far as it goes now, or up to `block`; then every page looks again.
 *
 * Gives up quietly after a while: pages refresh by themselves too. */
export async function indexed(queries: QueryClient, name: string, block?: bigint): Promise<void> {
  const until = Date.now() + SETTLE_MS;
  try {
    const network = await knownNetwork(queries);
    const canister = network.canisters[name as CanisterName] ?? name;
    const needed = block === undefined ? await logLength(network, canister) : block + 1n;
    while (Date.now() < until) {
      const { logs } = await queries.fetchQuery({ ...networkQuery, staleTime: 0 });
      const log = logs.find((entry) => entry.canister === canister);
      if (log && BigInt(log.indexed) >= needed) break;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  } catch {
    // What was signed is done; only how soon the pages show it is uncertain.
  }
  await queries.invalidateQueries();
}

async function logLength(network: Network, canister: string): Promise<bigint> {
  const chain = await loadChain();
  const target = { canister, contract: chain.log, method: 'icrc3_get_blocks', args: [[{ start: 0n, length: 0n }]] };
  return (await chain.callQuery<GetBlocksAnswer>(network.root_key, target)).log_length;
}
