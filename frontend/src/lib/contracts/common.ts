// What every contract shares: the ICRC-3 log and accounts. `contracts.test.ts` holds all of these to canisters/candid/*.did.
import { IDL } from '@icp-sdk/core/candid';
import type { Principal } from '@icp-sdk/core/principal';
import type { Bytes } from '@/lib/bytes';

/** The methods of one canister: name -> Candid signature. */
export type Contract = Readonly<Record<string, IDL.FuncClass>>;

// The library's own type asks for at least one argument; many methods have none.
type Arguments = [IDL.Type, ...IDL.Type[]];
export const update = (args: IDL.Type[], results: IDL.Type[]): IDL.FuncClass => IDL.Func(args as Arguments, results as Arguments, []);
export const query = (args: IDL.Type[], results: IDL.Type[]): IDL.FuncClass => IDL.Func(args as Arguments, results as Arguments, ['query']);

export const Blob = IDL.Vec(IDL.Nat8);
export const Hash = Blob;
export const Account = IDL.Record({ owner: IDL.Principal, subaccount: IDL.Opt(Blob) });

/** Candid's `opt T` in JavaScript: an empty list or a list of one. */
export type Opt<T> = [] | [T];
export const some = <T>(value: T | null | undefined): Opt<T> => (value === null || value === undefined ? [] : [value]);
export const orNull = <T>(value: Opt<T>): T | null => (value.length ? value[0] : null);

export interface AccountArg {
  owner: Principal;
  subaccount: Opt<Bytes>;
}
export const accountOf = (owner: Principal): AccountArg => ({ owner, subaccount: [] });

// --- ICRC-3 ---

export type Icrc3Value =
  | { Nat: bigint }
  | { Int: bigint }
  | { Text: string }
  | { Blob: Uint8Array | number[] }
  | { Array: Icrc3Value[] }
  | { Map: [string, Icrc3Value][] };

const Value = IDL.Rec();
Value.fill(
  IDL.Variant({
    Nat: IDL.Nat,
    Int: IDL.Int,
    Text: IDL.Text,
    Blob,
    Array: IDL.Vec(Value),
    Map: IDL.Vec(IDL.Tuple(IDL.Text, Value)),
  }),
);
const GetBlocksArgs = IDL.Vec(IDL.Record({ start: IDL.Nat, length: IDL.Nat }));
const GetBlocksResult = IDL.Rec();
GetBlocksResult.fill(
  IDL.Record({
    log_length: IDL.Nat,
    blocks: IDL.Vec(IDL.Record({ id: IDL.Nat, block: Value })),
    archived_blocks: IDL.Vec(IDL.Record({ args: GetBlocksArgs, callback: IDL.Func([GetBlocksArgs], [GetBlocksResult], ['query']) })),
  }),
);

export interface GetBlocksAnswer {
  log_length: bigint;
  blocks: { id: bigint; block: Icrc3Value }[];
}
export interface TipCertificate {
  certificate: Uint8Array;
  hash_tree: Uint8Array;
}

export const log: Contract = {
  icrc3_get_blocks: query([GetBlocksArgs], [GetBlocksResult]),
  icrc3_get_tip_certificate: query([], [IDL.Opt(IDL.Record({ certificate: Blob, hash_tree: Blob }))]),
};
