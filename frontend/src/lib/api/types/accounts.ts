// Answers about people: balances, earnings, API tokens.
import type { E8sText, NanosText } from '@/lib/units';
import type { Proof } from './shared';

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
