// Answers about models, their proposals and votes.
import type { E8sText, NanosText } from '@/lib/units';
import type { HistoryEntry } from './datasets';
import type { Attribution, Metric, ModelInterface } from './jobs';
import type { Proof } from './shared';

export interface LiveRelease {
  proposal_id: number;
  title: string;
  manifest_hash: string;
  wasm_sha256: string;
  max_abs_error_e9: number;
  live_at_ns: NanosText;
  proof: Proof;
}

export interface ModelSummary {
  canister: string;
  name: string;
  job_id: number;
  inference: string;
  creator: string;
  state: 'no_release' | 'live';
  live: LiveRelease | null;
  holders: number;
  price_e8s: E8sText;
  paid_calls: number;
  revenue_e8s: E8sText;
  created_at_ns: NanosText;
  proof: Proof;
}

export interface Holder {
  owner: string;
  shares: number;
}

export interface PaidCall {
  payer: string;
  price_e8s: E8sText;
  treasury_e8s: E8sText;
  parts: { owner: string; amount_e8s: E8sText }[];
  at_ns: NanosText;
  proof: Proof;
}

export interface ModelParameters {
  price_e8s: E8sText;
  treasury_bps: number;
  voting_period_ns: NanosText;
  quiet_period_ns: NanosText;
}

export interface Model extends Omit<ModelSummary, 'holders'> {
  parameters: ModelParameters;
  holders: Holder[];
  treasury_e8s: E8sText;
  releases: ProposalSummary[];
  interface: ModelInterface | null;
  card: Record<string, unknown> | null;
  attribution: Attribution[];
  calls: PaidCall[];
}

export type ProposalKind = 'release' | 'parameters' | 'treasury_transfer' | 'upgrade';
export type ProposalState = 'voting' | 'adopted' | 'rejected' | 'installing' | 'live' | 'executed' | 'superseded' | 'failed';

export interface ProposalSummary {
  id: number;
  model: string;
  title: string;
  kind: ProposalKind;
  proposer: string;
  state: ProposalState;
  yes: number;
  no: number;
  total: number;
  deadline_ns: NanosText;
  submitted_at_ns: NanosText;
  decided_at_ns: NanosText | null;
  critical: boolean;
  proof: Proof;
}

export interface Ballot {
  owner: string;
  shares: number;
  vote: 'yes' | 'no' | null;
  at_ns: NanosText | null;
}

export interface Proposal extends ProposalSummary {
  summary: string;
  payload: Record<string, unknown>;
  manifest_hash: string | null;
  ballots: Ballot[];
  log: HistoryEntry[];
  live_metrics: Metric[] | null;
}

export interface OpenVote extends ProposalSummary {
  model_name: string;
  shares: number;
}
