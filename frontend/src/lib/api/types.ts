// What the REST API answers. Hashes and blobs are lower-case hex, principals text, 64-bit numbers decimal text.
import type { E8sText, NanosText } from '@/lib/units';

export interface Page<T> {
  count: number;
  next: string | null;
  results: T[];
}

/** The block that settled an object: what the "How do we know?" drawer starts from. */
export interface Proof {
  canister: string;
  block: number;
}

// --- network ---

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

// --- datasets ---

export type Decision = 'AutoApprove' | 'Ask' | 'Deny';

export interface Policy {
  version: number;
  audience: 'Anyone' | { Principals: string[] };
  purposes: 'Any' | { Listed: string[] };
  code: 'Any' | { Listed: string[] };
  compute: 'Central' | 'Federated' | 'Either';
  columns: string[] | null;
  price_e8s: E8sText;
  max_uses: number | null;
  expires_at_ns: NanosText | null;
  max_epsilon_micros: number | null;
  decision: Decision;
  workers: string[];
  set_at_ns: NanosText;
  sentence: string;
  proof: Proof;
}

export interface DatasetSummary {
  id: number;
  owner: string;
  title: string;
  state: 'active' | 'withdrawn';
  version: number;
  row_count: number;
  size_bytes: number;
  columns: number | null;
  task: string | null;
  policy: Policy | null;
  uses: number;
  registered_at_ns: NanosText;
  proof: Proof;
}

export interface DatasetVersion {
  version: number;
  ciphertext_root: string;
  plaintext_commitment: string;
  manifest_hash: string;
  schema_hash: string;
  card_hash: string;
  profile_hash: string;
  mock_hash: string;
  row_count: number;
  size_bytes: number;
  registered_at_ns: NanosText;
  stored_bytes: number;
  complete: boolean;
  proof: Proof;
}

export interface DatasetCard {
  title: string;
  description: string;
  task: string;
  target: string | null;
  collected: string;
  license: string;
  contact: string;
}

export type ColumnType = 'number' | 'integer' | 'boolean' | 'category' | 'text';

export interface ColumnProfile {
  name: string;
  type: ColumnType;
  count: number;
  missing: number;
  min: number | null;
  max: number | null;
  mean: number | null;
  std: number | null;
  histogram: [from: number, to: number, count: number][] | null;
  top: [value: string, count: number][] | null;
}

export interface Profile {
  rows: number;
  columns: ColumnProfile[];
}

export interface Schema {
  columns: { name: string; type: ColumnType }[];
}

export interface Mock {
  columns: string[];
  rows: (string | number | boolean | null)[][];
}

export interface HistoryEntry {
  btype: string;
  title: string;
  at_ns: NanosText;
  proof: Proof;
}

export interface Dataset extends DatasetSummary {
  versions: DatasetVersion[];
  card: Partial<DatasetCard> | null;
  schema: Schema | null;
  profile: Profile | null;
  mock: Mock | null;
  history: HistoryEntry[];
  policies: Policy[];
}

export interface UploadState {
  manifest_hash: string;
  missing: number[];
  size_bytes: number;
}

// --- jobs ---

export type JobState =
  | 'proposed' | 'approved' | 'funded' | 'claimed' | 'running' | 'submitted' | 'settled' | 'denied' | 'expired' | 'cancelled' | 'failed';

export interface Metric {
  name: string;
  value_ppm: number;
}

export interface JobSummary {
  id: number;
  title: string;
  purpose: string;
  recipe: string;
  builder: string;
  state: JobState;
  reason: string;
  datasets: { dataset_id: number; version: number }[];
  budget_e8s: E8sText;
  worker: string | null;
  proposed_at_ns: NanosText;
  updated_at_ns: NanosText;
  metrics: Metric[];
  model: string | null;
  proof: Proof;
}

export interface Approval {
  dataset_id: number;
  dataset_title: string;
  version: number;
  owner: string;
  policy_version: number;
  price_e8s: E8sText;
  state: 'pending' | 'approved' | 'denied' | 'revoked';
  by: 'policy' | 'owner' | null;
  reason: string | null;
  workers: string[];
  at_ns: NanosText;
  proof: Proof;
}

export interface Attribution {
  dataset_id: number;
  dataset_title: string;
  owner: string;
  value_ppm: number;
  low_ppm: number;
  high_ppm: number;
  share_bps: number;
}

export interface Artifact {
  name: string;
  sha256: string;
  size_bytes: number;
}

export interface JobResult {
  metrics: Metric[];
  utility: string;
  transcript_hash: string;
  manifest_hash: string;
  artifacts: Artifact[];
  attribution: Attribution[];
}

export interface Share {
  owner: string;
  role: 'contributor' | 'builder' | 'worker';
  dataset_id: number | null;
  share_bps: number;
}

export interface Payout {
  owner: string;
  kind: 'price' | 'worker_fee' | 'refund';
  dataset_id: number | null;
  amount_e8s: E8sText;
  claimed_block: number | null;
}

export interface Terms {
  contributors_bps: number;
  builder_bps: number;
  worker_bps: number;
  valuation: string;
}

export interface Job extends JobSummary {
  code_hash: string;
  config_hash: string;
  config: Record<string, unknown> | null;
  seed: string;
  compute: string;
  terms: Terms;
  worker_fee_e8s: E8sText;
  escrow_e8s: E8sText;
  approve_by_ns: NanosText;
  finish_by_ns: NanosText;
  approvals: Approval[];
  timeline: { btype: string; title: string; at_ns: NanosText; by: string | null; proof: Proof }[];
  result: JobResult | null;
  shares: Share[];
  payouts: Payout[];
}

export interface JobRequest extends JobSummary {
  waiting: Approval[];
}

export type TrainingEvent = { seq: number; at_ns: NanosText } & (
  | { kind: 'phase'; phase: string; done: number; total: number }
  | { kind: 'epoch'; epoch: number; epochs: number; train_loss: number; validation_loss: number; accuracy?: number }
  | { kind: 'coalition'; done: number; total: number }
  | { kind: 'log'; text: string }
);

export interface ConfigSchema {
  type?: string;
  properties?: Record<string, ConfigProperty>;
  required?: string[];
}

export interface ConfigProperty {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  enum?: unknown[];
}

export interface Recipe {
  name: string;
  title: string;
  description: string;
  code_hash: string;
  config_schema: ConfigSchema;
  default_config: Record<string, unknown>;
  task: string;
}

export interface Worker {
  principal: string;
  name: string;
  encryption_key: string;
  registered_at_ns: NanosText;
  proof: Proof;
}

export interface KeptConfig {
  config_hash: string;
  code_hash: string;
  config: Record<string, unknown>;
}

export interface TensorJson {
  name: string;
  dtype: string;
  shape: (number | string)[];
  data: string;
}

export interface ReleaseManifestJson {
  job_id: number | string;
  title: string;
  wasm_sha256: string;
  wasm_chunks: { sha256: string; size_bytes: number | string }[];
  weight_chunks: { sha256: string; size_bytes: number | string }[];
  onnx_sha256: string;
  transcript_hash: string;
  card_hash: string;
  metrics: { name: string; value_ppm: number | string }[];
  equality: { inputs: TensorJson[]; outputs: TensorJson[] }[];
  tolerance_e9: number | string;
  estimated_instructions: number | string;
}

export interface ModelInterface {
  inputs: { name: string; dtype: string; shape: number[] }[];
  outputs: { name: string; dtype: string; shape: number[] }[];
  weights_bytes?: number;
}

export interface JobRelease {
  manifest: ReleaseManifestJson;
  manifest_hash: string;
  interface: ModelInterface;
  cost: Record<string, unknown>;
  equality: Record<string, unknown>;
}

// --- models and votes ---

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

// --- accounts and earnings ---

export interface AccountSummary {
  principal: string;
  datasets: number;
  models: number;
  jobs: number;
  balance_e8s: E8sText;
}

export interface Earnings {
  principal: string;
  balance_e8s: E8sText;
  claimable: { kind: 'job' | 'model'; job_id: number | null; model: string | null; name: string; amount_e8s: E8sText }[];
  earned_e8s: E8sText;
  claimed_e8s: E8sText;
  by_model: { model: string; name: string; amount_e8s: E8sText }[];
  by_dataset: { dataset_id: number; title: string; amount_e8s: E8sText }[];
  entries: {
    kind: 'price' | 'worker_fee' | 'refund' | 'revenue';
    amount_e8s: E8sText;
    at_ns: NanosText;
    job_id: number | null;
    model: string | null;
    dataset_id: number | null;
    proof: Proof;
  }[];
}

export interface Transfer {
  index: number;
  btype: '1xfer' | '1mint' | '1burn' | '2xfer' | '2approve';
  from: string | null;
  to: string | null;
  amount_e8s: E8sText;
  fee_e8s: E8sText | null;
  at_ns: NanosText;
  memo: string | null;
  proof: Proof;
}

export interface ApiToken {
  id: number;
  name: string;
  public_key: string;
  targets: string[];
  expires_at_ns: NanosText | null;
  created_at_ns: NanosText;
  last_used_at_ns: NanosText | null;
  state: 'pending' | 'active' | 'revoked' | 'expired';
}

export interface NewApiToken extends ApiToken {
  delegation_request: { public_key: string; targets: string[]; max_expires_at_ns: NanosText };
}

export interface ActiveApiToken extends ApiToken {
  secret: string;
}
