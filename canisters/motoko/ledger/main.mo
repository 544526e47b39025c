/// The ledger's door. What it does stands in `Ledger.mo`. Standards: ICRC-1, ICRC-2, ICRC-3, ICRC-10.
import Array "mo:core/Array";
import Int "mo:core/Int";
import Principal "mo:core/Principal";
import Time "mo:core/Time";
import Ledger "Ledger";
import Log "../lib/Log";
import T "Types";

persistent actor class LedgerCanister(given : T.Init) = self {
  let init = given;
  let state = Ledger.empty();
  let noAnonymous = "sign in first: the anonymous principal holds nothing";

  func now() : Nat = Int.abs(Time.now());

  public query func icrc1_name() : async Text { init.name };
  public query func icrc1_symbol() : async Text { init.symbol };
  public query func icrc1_decimals() : async Nat8 { 8 };
  public query func icrc1_fee() : async Nat { init.fee_e8s };
  public query func icrc1_total_supply() : async Nat { state.supply };
  public query func icrc1_minting_account() : async ?T.Account { init.minting_account };
  public query func icrc1_balance_of(account : T.Account) : async Nat { Ledger.balance(state, account) };
  public query func icrc1_metadata() : async [(Text, T.MetadataValue)] {
    let standard : [(Text, T.MetadataValue)] = [("icrc1:name", #Text(init.name)), ("icrc1:symbol", #Text(init.symbol)), ("icrc1:decimals", #Nat 8), ("icrc1:fee", #Nat(init.fee_e8s)), ("icrc1:max_memo_length", #Nat 64)];
    switch (init.faucet_e8s) { case (?amount) Array.concat(standard, [("commonweight:faucet_e8s", #Nat amount)]); case null standard };
  };

  func standards() : [{ name : Text; url : Text }] = [
    { name = "ICRC-1"; url = "https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-1" },
    { name = "ICRC-2"; url = "https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-2" },
    { name = "ICRC-3"; url = "https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-3" },
    { name = "ICRC-10"; url = "https://github.com/dfinity/ICRC/blob/main/ICRCs/ICRC-10/ICRC-10.md" },
  ];
  public query func icrc1_supported_standards() : async [{ name : Text; url : Text }] { standards() };
  public query func icrc10_supported_standards() : async [{ name : Text; url : Text }] { standards() };

  public shared ({ caller }) func icrc1_transfer(args : T.TransferArgs) : async T.TransferResult {
    if (Principal.isAnonymous(caller)) return #Err(#GenericError({ error_code = 0; message = noAnonymous }));
    Ledger.transfer(state, init, caller, now(), args);
  };

  public shared ({ caller }) func icrc2_approve(args : T.ApproveArgs) : async T.ApproveResult {
    if (Principal.isAnonymous(caller)) return #Err(#GenericError({ error_code = 0; message = noAnonymous }));
    Ledger.approve(state, init, caller, now(), args);
  };

  public query func icrc2_allowance(args : { account : T.Account; spender : T.Account }) : async T.Allowance {
    Ledger.allowance(state, now(), args.account, args.spender);
  };

  public shared ({ caller }) func icrc2_transfer_from(args : T.TransferFromArgs) : async T.TransferFromResult {
    if (Principal.isAnonymous(caller)) return #Err(#GenericError({ error_code = 0; message = noAnonymous }));
    Ledger.transferFrom(state, init, caller, now(), args);
  };

  public shared ({ caller }) func faucet_claim() : async { #Ok : Nat; #Err : Text } {
    if (Principal.isAnonymous(caller)) return #Err noAnonymous;
    Ledger.claimFaucet(state, init, caller, now());
  };

  system func postupgrade() { Log.certify(state.log) };

  public query func icrc3_get_blocks(args : Log.GetBlocksArgs) : async Log.GetBlocksResult { Log.getBlocks(state.log, args) };
  public query func icrc3_get_tip_certificate() : async ?Log.DataCertificate { Log.tipCertificate(state.log) };
  public query func icrc3_get_archives(_ : { from : ?Principal }) : async [{ canister_id : Principal; start : Nat; end : Nat }] { [] };
  public query func icrc3_supported_block_types() : async [Log.SupportedBlockType] {
    let url = "https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-3";
    [{ block_type = "1mint"; url }, { block_type = "1burn"; url }, { block_type = "1xfer"; url }, { block_type = "2approve"; url }, { block_type = "2xfer"; url }];
  };
};
