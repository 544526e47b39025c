// The registry's contract, as far as the page calls it: datasets, policies, the policy simulator.
import { IDL } from '@icp-sdk/core/candid';
import type { Principal } from '@icp-sdk/core/principal';
import { Hash, log, query, update, type Contract, type Opt } from './common';

const VersionArgs = IDL.Record({
  ciphertext_root: Hash,
  plaintext_commitment: Hash,
  manifest_hash: Hash,
  schema_hash: Hash,
  card_hash: Hash,
  profile_hash: Hash,
  mock_hash: Hash,
  row_count: IDL.Nat,
  size_bytes: IDL.Nat,
});
const Compute = IDL.Variant({ Central: IDL.Null, Federated: IDL.Null, Either: IDL.Null });
const Decision = IDL.Variant({ AutoApprove: IDL.Null, Ask: IDL.Null, Deny: IDL.Null });
const PolicyTerms = IDL.Record({
  audience: IDL.Variant({ Anyone: IDL.Null, Principals: IDL.Vec(IDL.Principal) }),
  purposes: IDL.Variant({ Any: IDL.Null, Listed: IDL.Vec(IDL.Text) }),
  code: IDL.Variant({ Any: IDL.Null, Listed: IDL.Vec(Hash) }),
  compute: Compute,
  columns: IDL.Opt(IDL.Vec(IDL.Text)),
  price_e8s: IDL.Nat,
  max_uses: IDL.Opt(IDL.Nat),
  expires_at_ns: IDL.Opt(IDL.Nat64),
  max_epsilon_micros: IDL.Opt(IDL.Nat),
  decision: Decision,
  workers: IDL.Vec(IDL.Principal),
});
const RegistryError = IDL.Variant({
  NotAllowed: IDL.Text,
  NotOwner: IDL.Record({ owner: IDL.Principal }),
  NotFound: IDL.Text,
  Invalid: IDL.Text,
  Stale: IDL.Record({ current_version: IDL.Nat }),
  Withdrawn: IDL.Null,
});
const BlockResult = IDL.Variant({ Ok: IDL.Record({ dataset_id: IDL.Nat, version: IDL.Nat, block: IDL.Nat }), Err: RegistryError });
const UseRequest = IDL.Record({
  dataset_id: IDL.Nat,
  version: IDL.Nat,
  builder: IDL.Principal,
  purpose: IDL.Text,
  code_hash: Hash,
  compute: Compute,
  epsilon_micros: IDL.Opt(IDL.Nat),
});
const Verdict = IDL.Record({
  dataset_id: IDL.Nat,
  owner: IDL.Principal,
  policy_version: IDL.Nat,
  price_e8s: IDL.Nat,
  workers: IDL.Vec(IDL.Principal),
  decision: Decision,
  reason: IDL.Text,
});

export const registry: Contract = {
  dataset_register: update([IDL.Record({ key: IDL.Vec(IDL.Nat8), title: IDL.Text, version: VersionArgs })], [BlockResult]),
  dataset_add_version: update([IDL.Record({ dataset_id: IDL.Nat, version: VersionArgs })], [BlockResult]),
  policy_set: update([IDL.Record({ dataset_id: IDL.Nat, expected_version: IDL.Nat, terms: PolicyTerms })], [BlockResult]),
  dataset_withdraw: update([IDL.Nat], [BlockResult]),
  dataset_restore: update([IDL.Nat], [BlockResult]),
  policy_preview: query([UseRequest], [IDL.Opt(Verdict)]),
  ...log,
};

export interface PolicyTermsArg {
  audience: { Anyone: null } | { Principals: Principal[] };
  purposes: { Any: null } | { Listed: string[] };
  code: { Any: null } | { Listed: Uint8Array[] };
  compute: { Central: null } | { Federated: null } | { Either: null };
  columns: Opt<string[]>;
  price_e8s: bigint;
  max_uses: Opt<bigint>;
  expires_at_ns: Opt<bigint>;
  max_epsilon_micros: Opt<bigint>;
  decision: { AutoApprove: null } | { Ask: null } | { Deny: null };
  workers: Principal[];
}
export interface VersionArg {
  ciphertext_root: Uint8Array;
  plaintext_commitment: Uint8Array;
  manifest_hash: Uint8Array;
  schema_hash: Uint8Array;
  card_hash: Uint8Array;
  profile_hash: Uint8Array;
  mock_hash: Uint8Array;
  row_count: bigint;
  size_bytes: bigint;
}
export interface RegistryBlock {
  dataset_id: bigint;
  version: bigint;
  block: bigint;
}
export interface VerdictAnswer {
  dataset_id: bigint;
  owner: Principal;
  policy_version: bigint;
  price_e8s: bigint;
  workers: Principal[];
  decision: { AutoApprove: null } | { Ask: null } | { Deny: null };
  reason: string;
}
