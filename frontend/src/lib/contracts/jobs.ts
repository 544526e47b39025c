// The jobs canister's contract, as far as the page calls it: proposing, deciding, funding, claiming what is due.
import { IDL } from '@icp-sdk/core/candid';
import type { Principal } from '@icp-sdk/core/principal';
import { Hash, log, query, update, type Contract, type Opt } from './common';

const Compute = IDL.Variant({ Central: IDL.Null, Federated: IDL.Null });
const Terms = IDL.Record({ contributors_bps: IDL.Nat, builder_bps: IDL.Nat, worker_bps: IDL.Nat, valuation: IDL.Text });
const JobArgs = IDL.Record({
  key: IDL.Vec(IDL.Nat8),
  title: IDL.Text,
  purpose: IDL.Text,
  recipe: IDL.Text,
  datasets: IDL.Vec(IDL.Record({ dataset_id: IDL.Nat, version: IDL.Nat })),
  code_hash: Hash,
  config_hash: Hash,
  seed: IDL.Nat64,
  compute: Compute,
  epsilon_micros: IDL.Opt(IDL.Nat),
  terms: Terms,
  worker_fee_e8s: IDL.Nat,
  budget_e8s: IDL.Nat,
  worker: IDL.Opt(IDL.Principal),
  approve_by_ns: IDL.Nat64,
  finish_by_ns: IDL.Nat64,
});
const DecidedBy = IDL.Variant({ Policy: IDL.Null, Owner: IDL.Null });
const ApprovalState = IDL.Variant({
  Pending: IDL.Null,
  Approved: IDL.Record({ by: DecidedBy, workers: IDL.Vec(IDL.Principal) }),
  Denied: IDL.Record({ by: DecidedBy, reason: IDL.Text }),
  Revoked: IDL.Record({ reason: IDL.Text }),
});
const Approval = IDL.Record({
  dataset_id: IDL.Nat,
  version: IDL.Nat,
  owner: IDL.Principal,
  policy_version: IDL.Nat,
  price_e8s: IDL.Nat,
  state: ApprovalState,
  at_ns: IDL.Nat64,
  block: IDL.Nat,
});
const JobState = IDL.Variant({
  Proposed: IDL.Null,
  Approved: IDL.Null,
  Funded: IDL.Null,
  Claimed: IDL.Null,
  Running: IDL.Null,
  Submitted: IDL.Null,
  Settled: IDL.Null,
  Denied: IDL.Null,
  Expired: IDL.Null,
  Cancelled: IDL.Null,
  Failed: IDL.Record({ kind: IDL.Text, reason: IDL.Text }),
});
const Result = IDL.Record({
  metrics: IDL.Vec(IDL.Record({ name: IDL.Text, value_ppm: IDL.Int })),
  artifacts: IDL.Vec(IDL.Record({ name: IDL.Text, sha256: Hash, size_bytes: IDL.Nat })),
  manifest_hash: Hash,
  transcript_hash: Hash,
  utility: IDL.Text,
  attribution: IDL.Vec(IDL.Record({ dataset_id: IDL.Nat, value_ppm: IDL.Int, low_ppm: IDL.Int, high_ppm: IDL.Int })),
});
const Role = IDL.Variant({ Contributor: IDL.Record({ dataset_id: IDL.Nat }), Builder: IDL.Null, Worker: IDL.Null });
const PayoutKind = IDL.Variant({ Price: IDL.Record({ dataset_id: IDL.Nat }), WorkerFee: IDL.Null, Refund: IDL.Null });
const Job = IDL.Record({
  id: IDL.Nat,
  builder: IDL.Principal,
  args: JobArgs,
  state: JobState,
  reason: IDL.Text,
  approvals: IDL.Vec(Approval),
  escrow_e8s: IDL.Nat,
  worker: IDL.Opt(IDL.Principal),
  lease_until_ns: IDL.Nat64,
  result: IDL.Opt(Result),
  shares: IDL.Vec(IDL.Record({ owner: IDL.Principal, role: Role, share_bps: IDL.Nat })),
  payouts: IDL.Vec(IDL.Record({ owner: IDL.Principal, kind: PayoutKind, amount_e8s: IDL.Nat, claimed_block: IDL.Opt(IDL.Nat) })),
  proposed_at_ns: IDL.Nat64,
  updated_at_ns: IDL.Nat64,
  block: IDL.Nat,
});
const JobError = IDL.Variant({
  NotAllowed: IDL.Text,
  NotFound: IDL.Text,
  Invalid: IDL.Text,
  NotBuilder: IDL.Record({ builder: IDL.Principal }),
  NotOwner: IDL.Record({ owner: IDL.Principal }),
  NotWorker: IDL.Text,
  WrongState: IDL.Record({ state: JobState, needed: IDL.Text }),
  NotFunded: IDL.Record({ needed_e8s: IDL.Nat, reason: IDL.Text }),
  Refused: IDL.Text,
  Busy: IDL.Null,
});
const JobResult = IDL.Variant({ Ok: Job, Err: JobError });
const OfDataset = { job_id: IDL.Nat, dataset_id: IDL.Nat };

export const jobs: Contract = {
  job_propose: update([JobArgs], [JobResult]),
  job_approve: update([IDL.Record({ ...OfDataset, policy_version: IDL.Nat, workers: IDL.Vec(IDL.Principal) })], [JobResult]),
  job_deny: update([IDL.Record({ ...OfDataset, reason: IDL.Text })], [JobResult]),
  job_revoke: update([IDL.Record({ ...OfDataset, reason: IDL.Text })], [JobResult]),
  job_fund: update([IDL.Nat], [JobResult]),
  job_cancel: update([IDL.Nat], [JobResult]),
  job_expire: update([IDL.Nat], [JobResult]),
  payout_claim: update([IDL.Nat], [IDL.Variant({ Ok: IDL.Record({ amount_e8s: IDL.Nat, ledger_block: IDL.Nat }), Err: JobError })]),
  job_get: query([IDL.Nat], [IDL.Opt(Job)]),
  ...log,
};

export interface JobArg {
  key: Uint8Array;
  title: string;
  purpose: string;
  recipe: string;
  datasets: { dataset_id: bigint; version: bigint }[];
  code_hash: Uint8Array;
  config_hash: Uint8Array;
  seed: bigint;
  compute: { Central: null };
  epsilon_micros: Opt<bigint>;
  terms: { contributors_bps: bigint; builder_bps: bigint; worker_bps: bigint; valuation: string };
  worker_fee_e8s: bigint;
  budget_e8s: bigint;
  worker: Opt<Principal>;
  approve_by_ns: bigint;
  finish_by_ns: bigint;
}
export interface JobAnswer {
  id: bigint;
  state: Record<string, unknown>;
  block: bigint;
}
