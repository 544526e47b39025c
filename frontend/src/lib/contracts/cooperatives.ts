// The factory's contract: founding the cooperative of a settled job.
import { IDL } from '@icp-sdk/core/candid';
import type { Principal } from '@icp-sdk/core/principal';
import { log, update, type Contract } from './common';
import { Parameters } from './cooperative';

const Cooperative = IDL.Record({
  job_id: IDL.Nat,
  name: IDL.Text,
  canister: IDL.Principal,
  inference: IDL.Principal,
  creator: IDL.Principal,
  created_at_ns: IDL.Nat64,
  block: IDL.Nat,
});
const CreateError = IDL.Variant({
  NotAllowed: IDL.Text,
  NotFound: IDL.Text,
  Invalid: IDL.Text,
  AlreadyExists: Cooperative,
  Refused: IDL.Text,
  Busy: IDL.Null,
});

export const cooperatives: Contract = {
  cooperative_create: update(
    [IDL.Record({ job_id: IDL.Nat, name: IDL.Text, parameters: Parameters })],
    [IDL.Variant({ Ok: Cooperative, Err: CreateError })],
  ),
  ...log,
};

export interface CooperativeAnswer {
  canister: Principal;
  inference: Principal;
  block: bigint;
}
