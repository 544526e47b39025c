// A cooperative's contract, as far as the page calls it: proposals, votes, paid answers, what a holder may take out.
import { IDL } from '@icp-sdk/core/candid';
import type { Principal } from '@icp-sdk/core/principal';
import { Hash, log, query, update, type Contract } from './common';

export const Parameters = IDL.Record({ price_e8s: IDL.Nat, treasury_bps: IDL.Nat, voting_period_ns: IDL.Nat64, quiet_period_ns: IDL.Nat64 });
const ChunkInfo = IDL.Record({ sha256: Hash, size_bytes: IDL.Nat });
const TensorBlob = IDL.Record({ name: IDL.Text, dtype: IDL.Text, shape: IDL.Vec(IDL.Nat64), data: IDL.Vec(IDL.Nat8) });
const ReleaseManifest = IDL.Record({
  job_id: IDL.Nat,
  title: IDL.Text,
  wasm_sha256: Hash,
  wasm_chunks: IDL.Vec(ChunkInfo),
  weight_chunks: IDL.Vec(ChunkInfo),
  onnx_sha256: Hash,
  transcript_hash: Hash,
  card_hash: Hash,
  metrics: IDL.Vec(IDL.Record({ name: IDL.Text, value_ppm: IDL.Int })),
  equality: IDL.Vec(IDL.Record({ inputs: IDL.Vec(TensorBlob), outputs: IDL.Vec(TensorBlob) })),
  tolerance_e9: IDL.Nat,
  estimated_instructions: IDL.Nat64,
});
const ProposalKind = IDL.Variant({
  Release: ReleaseManifest,
  Parameters,
  TreasuryTransfer: IDL.Record({ to: IDL.Principal, amount_e8s: IDL.Nat }),
  Upgrade: IDL.Record({ module_hash: Hash }),
});
const ProposalState = IDL.Variant({
  Voting: IDL.Null,
  Adopted: IDL.Null,
  Rejected: IDL.Null,
  Installing: IDL.Null,
  Live: IDL.Null,
  Executed: IDL.Null,
  Superseded: IDL.Null,
  Failed: IDL.Text,
});
const Ballot = IDL.Record({ owner: IDL.Principal, shares: IDL.Nat, vote: IDL.Opt(IDL.Bool), at_ns: IDL.Nat64 });
const Proposal = IDL.Record({
  id: IDL.Nat,
  proposer: IDL.Principal,
  title: IDL.Text,
  summary: IDL.Text,
  kind: ProposalKind,
  manifest_hash: IDL.Opt(Hash),
  state: ProposalState,
  yes: IDL.Nat,
  no: IDL.Nat,
  total: IDL.Nat,
  ballots: IDL.Vec(Ballot),
  submitted_at_ns: IDL.Nat64,
  deadline_ns: IDL.Nat64,
  decided_at_ns: IDL.Opt(IDL.Nat64),
  critical: IDL.Bool,
  block: IDL.Nat,
  wasm_staged: IDL.Vec(IDL.Nat32),
  weights_staged: IDL.Vec(IDL.Nat32),
});
const CoopError = IDL.Variant({
  NotAllowed: IDL.Text,
  NotFound: IDL.Text,
  Invalid: IDL.Text,
  NoShares: IDL.Null,
  AlreadyVoted: IDL.Null,
  Closed: IDL.Text,
  UnknownChunk: IDL.Null,
  WrongHash: IDL.Record({ expected: Hash, got: Hash }),
  Payment: IDL.Text,
  PriceChanged: IDL.Record({ price_e8s: IDL.Nat }),
  NotLive: IDL.Null,
  Inference: IDL.Text,
  Refused: IDL.Text,
  Busy: IDL.Null,
});
const ProposalResult = IDL.Variant({ Ok: Proposal, Err: CoopError });
const InferReceipt = IDL.Record({
  outputs: IDL.Vec(TensorBlob),
  instructions: IDL.Nat64,
  price_e8s: IDL.Nat,
  parts: IDL.Vec(IDL.Record({ owner: IDL.Principal, amount_e8s: IDL.Nat })),
  manifest_hash: Hash,
  block: IDL.Nat,
  ledger_block: IDL.Nat,
});

export const cooperative: Contract = {
  proposal_submit: update([IDL.Record({ title: IDL.Text, summary: IDL.Text, kind: ProposalKind })], [ProposalResult]),
  proposal_vote: update([IDL.Record({ proposal_id: IDL.Nat, yes: IDL.Bool })], [ProposalResult]),
  proposal_execute: update([IDL.Nat], [ProposalResult]),
  infer: update([IDL.Record({ inputs: IDL.Vec(TensorBlob), max_price_e8s: IDL.Nat })], [IDL.Variant({ Ok: InferReceipt, Err: CoopError })]),
  claimable: query([IDL.Principal], [IDL.Nat]),
  revenue_claim: update([], [IDL.Variant({ Ok: IDL.Record({ amount_e8s: IDL.Nat, ledger_block: IDL.Nat }), Err: CoopError })]),
  ...log,
};

export interface TensorArg {
  name: string;
  dtype: string;
  shape: bigint[];
  data: Uint8Array;
}
export interface InferAnswer {
  outputs: (Omit<TensorArg, 'shape'> & { shape: bigint[] | BigUint64Array })[];
  instructions: bigint;
  price_e8s: bigint;
  parts: { owner: Principal; amount_e8s: bigint }[];
  manifest_hash: Uint8Array;
  block: bigint;
  ledger_block: bigint;
}
export interface ProposalAnswer {
  id: bigint;
  block: bigint;
  state: Record<string, unknown>;
}
export interface ParametersArg {
  price_e8s: bigint;
  treasury_bps: bigint;
  voting_period_ns: bigint;
  quiet_period_ns: bigint;
}
