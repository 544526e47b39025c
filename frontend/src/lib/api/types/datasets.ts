// Answers about datasets and uploads.
import type { E8sText, NanosText } from '@/lib/units';
import type { Proof } from './shared';

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
