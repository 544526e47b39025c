// Answers about the network itself.
import type { E8sText, NanosText } from '@/lib/units';

export type CanisterName = 'registry' | 'jobs' | 'ledger' | 'cooperatives';

export interface Network {
  network: 'embedded' | 'pocketic' | 'ic';
  root_key: string;
  canisters: Record<CanisterName, string>;
  /** Null while the chain does not answer. */
  height: number | null;
  block_time_ns: NanosText | null;
  token: { name: string; symbol: string; decimals: number; fee_e8s: E8sText; faucet_e8s: E8sText | null };
  logs: { canister: string; name: string; length: number; indexed: number }[];
}

export interface Activity {
  canister: string;
  name: string;
  index: number;
  btype: string;
  at_ns: NanosText;
  title: string;
  principals: string[];
  dataset_id: number | null;
  job_id: number | null;
  model: string | null;
  proposal_id: number | null;
}
