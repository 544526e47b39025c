/// The ledger's words. Source: ICRC-1, ICRC-2.
module {
  public type Account = { owner : Principal; subaccount : ?Blob };
  public type TransferArgs = { from_subaccount : ?Blob; to : Account; amount : Nat; fee : ?Nat; memo : ?Blob; created_at_time : ?Nat64 };
  public type Common = {
    #BadFee : { expected_fee : Nat };
    #InsufficientFunds : { balance : Nat };
    #TooOld;
    #CreatedInFuture : { ledger_time : Nat64 };
    #Duplicate : { duplicate_of : Nat };
    #TemporarilyUnavailable;
    #GenericError : { error_code : Nat; message : Text };
  };
  public type TransferError = Common or { #BadBurn : { min_burn_amount : Nat } };
  public type TransferResult = { #Ok : Nat; #Err : TransferError };
  public type ApproveArgs = {
    from_subaccount : ?Blob;
    spender : Account;
    amount : Nat;
    expected_allowance : ?Nat;
    expires_at : ?Nat64;
    fee : ?Nat;
    memo : ?Blob;
    created_at_time : ?Nat64;
  };
  public type ApproveError = Common or { #AllowanceChanged : { current_allowance : Nat }; #Expired : { ledger_time : Nat64 } };
  public type ApproveResult = { #Ok : Nat; #Err : ApproveError };
  public type TransferFromArgs = {
    spender_subaccount : ?Blob;
    from : Account;
    to : Account;
    amount : Nat;
    fee : ?Nat;
    memo : ?Blob;
    created_at_time : ?Nat64;
  };
  public type TransferFromError = TransferError or { #InsufficientAllowance : { allowance : Nat } };
  public type TransferFromResult = { #Ok : Nat; #Err : TransferFromError };
  public type Allowance = { allowance : Nat; expires_at : ?Nat64 };
  public type MetadataValue = { #Nat : Nat; #Int : Int; #Text : Text; #Blob : Blob };
  public type Init = { name : Text; symbol : Text; fee_e8s : Nat; minting_account : ?Account; faucet_e8s : ?Nat };
};
