// The ledger's contract, as far as the page calls it: ICRC-1 and ICRC-2, and the faucet of a test network.
import { IDL } from '@icp-sdk/core/candid';
import { Account, Blob, log, query, update, type AccountArg, type Contract, type Opt } from './common';

const common = {
  BadFee: IDL.Record({ expected_fee: IDL.Nat }),
  InsufficientFunds: IDL.Record({ balance: IDL.Nat }),
  TooOld: IDL.Null,
  CreatedInFuture: IDL.Record({ ledger_time: IDL.Nat64 }),
  Duplicate: IDL.Record({ duplicate_of: IDL.Nat }),
  TemporarilyUnavailable: IDL.Null,
  GenericError: IDL.Record({ error_code: IDL.Nat, message: IDL.Text }),
};
const TransferError = IDL.Variant({ ...common, BadBurn: IDL.Record({ min_burn_amount: IDL.Nat }) });
const ApproveError = IDL.Variant({
  ...common,
  AllowanceChanged: IDL.Record({ current_allowance: IDL.Nat }),
  Expired: IDL.Record({ ledger_time: IDL.Nat64 }),
});
const noted = { fee: IDL.Opt(IDL.Nat), memo: IDL.Opt(Blob), created_at_time: IDL.Opt(IDL.Nat64) };

export const ledger: Contract = {
  icrc1_balance_of: query([Account], [IDL.Nat]),
  icrc1_transfer: update(
    [IDL.Record({ ...noted, from_subaccount: IDL.Opt(Blob), to: Account, amount: IDL.Nat })],
    [IDL.Variant({ Ok: IDL.Nat, Err: TransferError })],
  ),
  icrc2_approve: update(
    [
      IDL.Record({
        ...noted,
        from_subaccount: IDL.Opt(Blob),
        spender: Account,
        amount: IDL.Nat,
        expected_allowance: IDL.Opt(IDL.Nat),
        expires_at: IDL.Opt(IDL.Nat64),
      }),
    ],
    [IDL.Variant({ Ok: IDL.Nat, Err: ApproveError })],
  ),
  icrc2_allowance: query([IDL.Record({ account: Account, spender: Account })], [IDL.Record({ allowance: IDL.Nat, expires_at: IDL.Opt(IDL.Nat64) })]),
  faucet_claim: update([], [IDL.Variant({ Ok: IDL.Nat, Err: IDL.Text })]),
  ...log,
};

export interface TransferArg {
  from_subaccount: Opt<Uint8Array>;
  to: AccountArg;
  amount: bigint;
  fee: Opt<bigint>;
  memo: Opt<Uint8Array>;
  created_at_time: Opt<bigint>;
}
export interface ApproveArg {
  from_subaccount: Opt<Uint8Array>;
  spender: AccountArg;
  amount: bigint;
  expected_allowance: Opt<bigint>;
  expires_at: Opt<bigint>;
  fee: Opt<bigint>;
  memo: Opt<Uint8Array>;
  created_at_time: Opt<bigint>;
}
