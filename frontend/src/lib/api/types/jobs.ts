// Answers about jobs, recipes, workers and releases.
import type { E8sText, NanosText } from '@/lib/units';
import type { Proof } from './shared';

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
