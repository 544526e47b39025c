/// The jobs canister's door, and the only place that waits for others. What it decides stands in `Jobs.mo`.
import Array "mo:core/Array";
import Blob "mo:core/Blob";
import Error "mo:core/Error";
import Int "mo:core/Int";
import Map "mo:core/Map";
import Nat "mo:core/Nat";
import Nat8 "mo:core/Nat8";
import Principal "mo:core/Principal";
import Time "mo:core/Time";
import Jobs "Jobs";
import LT "../ledger/Types";
import Log "../lib/Log";
import RT "../registry/Types";
import T "Types";

persistent actor class JobsCanister(init : { registry : Principal; ledger : Principal }) = self {
  type Registry = actor {
    policy_decide : shared [RT.UseRequest] -> async [?RT.Verdict];
    uses_take : shared { job_id : Nat; uses : [RT.TakeUse] } -> async RT.TakeResult;
  };
  type Ledger = actor {
    icrc1_fee : shared query () -> async Nat;
    icrc1_transfer : shared LT.TransferArgs -> async LT.TransferResult;
    icrc2_transfer_from : shared LT.TransferFromArgs -> async LT.TransferFromResult;
  };

  let registryId = init.registry;
  let ledgerId = init.ledger;
  let state = Jobs.empty();

  func registry() : Registry = actor (Principal.toText(registryId));
  func ledger() : Ledger = actor (Principal.toText(ledgerId));
  func now() : Nat = Int.abs(Time.now());

  let signIn : T.JobError = #NotAllowed("sign in first: the anonymous principal can do nothing here");

  func onJob(caller : Principal, id : Nat, act : Jobs.Row -> T.JobResult) : T.JobResult {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    let ?row = Jobs.find(state, id) else return #Err(#NotFound("job " # Nat.toText(id)));
    if (row.busySince != null and not Jobs.hold(row, now())) return #Err(#Busy);
    Jobs.release(row);
    act(row);
  };

  /// The escrow of a job: a subaccount of its own.
  func escrow(id : Nat) : Blob {
    var rest = id;
    let bytes = Array.tabulate<Nat8>(
      8,
      func _ {
        let low = Nat8.fromNat(rest % 256);
        rest /= 256;
        low;
      },
    );
    Blob.fromArray(Array.tabulate<Nat8>(32, func i = if (i < 24) 0 else bytes[31 - i : Nat]));
  };

  public shared ({ caller }) func worker_register(args : { name : Text; encryption_key : Blob }) : async { #Ok : T.Worker; #Err : T.JobError } {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    Jobs.registerWorker(state, caller, now(), args.name, args.encryption_key);
  };

  public shared ({ caller }) func job_propose(args : T.JobArgs) : async T.JobResult {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    func known() : ?T.JobResult {
      let ?id = Map.get(state.keys, Blob.compare, Jobs.key(caller, args.key)) else return null;
      let ?row = Jobs.find(state, id) else return null;
      ?#Ok(Jobs.shown(row));
    };
    switch (known()) { case (?before) return before; case null {} };
    switch (Jobs.wrongArgs(args, now())) { case (?reason) return #Err(#Invalid reason); case null {} };
    let verdicts = try { await registry().policy_decide(Jobs.requests(caller, args)) } catch error {
      return #Err(#Refused("the registry did not answer: " # Error.message(error)));
    };
    // The same proposal may have come in twice while the registry was asked.
    switch (known()) { case (?before) return before; case null {} };
    Jobs.propose(state, caller, now(), args, verdicts);
  };

  public shared ({ caller }) func job_approve(args : { job_id : Nat; dataset_id : Nat; policy_version : Nat; workers : [Principal] }) : async T.JobResult {
    onJob(caller, args.job_id, func _row = Jobs.approve(state, caller, now(), args.job_id, args.dataset_id, args.policy_version, args.workers));
  };

  public shared ({ caller }) func job_deny(args : { job_id : Nat; dataset_id : Nat; reason : Text }) : async T.JobResult {
    onJob(caller, args.job_id, func _row = Jobs.deny(state, caller, now(), args.job_id, args.dataset_id, args.reason));
  };

  public shared ({ caller }) func job_revoke(args : { job_id : Nat; dataset_id : Nat; reason : Text }) : async T.JobResult {
    onJob(caller, args.job_id, func _row = Jobs.revoke(state, caller, now(), args.job_id, args.dataset_id, args.reason));
  };

  public shared ({ caller }) func job_fund(id : Nat) : async T.JobResult {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    let ?row = Jobs.find(state, id) else return #Err(#NotFound("job " # Nat.toText(id)));
    if (row.builder != caller) return #Err(#NotBuilder({ builder = row.builder }));
    if (row.state != #Approved) return #Err(#WrongState({ state = row.state; needed = "approved" }));
    if (not Jobs.hold(row, now())) return #Err(#Busy);
    let to = { owner = Principal.fromActor(self); subaccount = ?escrow(id) };
    let request = {
      spender_subaccount = null;
      from = { owner = caller; subaccount = null };
      to;
      amount = row.args.budget_e8s;
      fee = null;
      memo = null;
      created_at_time = null;
    };
    let answer = try { await ledger().icrc2_transfer_from(request) } catch error {
      Jobs.release(row);
      return #Err(#Refused("the ledger did not answer: " # Error.message(error)));
    };
    Jobs.release(row);
    switch answer {
      // From here it must not fail: the tokens have moved.
      case (#Ok block) Jobs.funded(state, row, now(), block);
      case (#Err(#InsufficientFunds({ balance }))) #Err(#NotFunded({ needed_e8s = row.args.budget_e8s; reason = "your balance is " # Nat.toText(balance) # " e8s" }));
      case (#Err(#InsufficientAllowance({ allowance }))) #Err(#NotFunded({ needed_e8s = row.args.budget_e8s; reason = "you have approved " # Nat.toText(allowance) # " e8s for the jobs canister; approve the budget and the ledger's fee" }));
      case (#Err other) #Err(#Refused("the ledger refused: " # debug_show other));
    };
  };

  public shared ({ caller }) func job_cancel(id : Nat) : async T.JobResult { onJob(caller, id, func row = Jobs.cancel(state, caller, now(), row)) };
  public shared ({ caller }) func job_expire(id : Nat) : async T.JobResult { onJob(caller, id, func row = Jobs.expire(state, now(), row)) };

  public shared ({ caller }) func job_claim(id : Nat) : async T.JobResult {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    let ?row = Jobs.find(state, id) else return #Err(#NotFound("job " # Nat.toText(id)));
    switch (Jobs.claimable(state, caller, now(), row)) { case (?e) return #Err e; case null {} };
    // Claimed by this worker before (it was restarted): the uses were taken then.
    if (row.worker == ?caller) {
      ignore Jobs.renew(caller, now(), row);
      return #Ok(Jobs.shown(row));
    };
    if (not Jobs.hold(row, now())) return #Err(#Busy);
    let taken = try { await registry().uses_take({ job_id = id; uses = Jobs.uses(row) }) } catch error {
      Jobs.release(row);
      return #Err(#Refused("the registry did not answer: " # Error.message(error)));
    };
    Jobs.release(row);
    switch taken {
      case (#Ok) Jobs.claimed(state, caller, now(), row);
      case (#Err({ dataset_id; reason })) #Err(#Refused("dataset " # Nat.toText(dataset_id) # ": " # reason));
    };
  };

  public shared ({ caller }) func job_renew(id : Nat) : async T.JobResult { onJob(caller, id, func row = Jobs.renew(caller, now(), row)) };
  public shared ({ caller }) func job_start(id : Nat) : async T.JobResult { onJob(caller, id, func row = Jobs.start(state, caller, now(), row)) };
  public shared ({ caller }) func job_submit(args : { job_id : Nat; result : T.Result }) : async T.JobResult {
    onJob(caller, args.job_id, func row = Jobs.submit(state, caller, now(), row, args.result));
  };
  public shared ({ caller }) func job_fail(args : { job_id : Nat; kind : Text; reason : Text }) : async T.JobResult {
    onJob(caller, args.job_id, func row = Jobs.fail(state, caller, now(), row, args.kind, args.reason));
  };
  public shared ({ caller }) func job_settle(id : Nat) : async T.JobResult { onJob(caller, id, func row = Jobs.settle(state, now(), row)) };

  public shared ({ caller }) func payout_claim(id : Nat) : async { #Ok : { amount_e8s : Nat; ledger_block : Nat }; #Err : T.JobError } {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    let ?row = Jobs.find(state, id) else return #Err(#NotFound("job " # Nat.toText(id)));
    let amount = Jobs.due(row, caller);
    if (amount == 0) return #Err(#NotFound("nothing is due to you from job " # Nat.toText(id)));
    if (not Jobs.hold(row, now())) return #Err(#Busy);
    try {
      let fee = await ledger().icrc1_fee();
      if (amount <= fee) {
        Jobs.release(row);
        return #Err(#Invalid("what is due does not cover the ledger's fee of " # Nat.toText(fee) # " e8s"));
      };
      let sent = await ledger().icrc1_transfer({
        from_subaccount = ?escrow(id);
        to = { owner = caller; subaccount = null };
        amount = amount - fee : Nat;
        fee = ?fee;
        memo = null;
        created_at_time = null;
      });
      Jobs.release(row);
      switch sent {
        // From here it must not fail: the tokens have moved.
        case (#Ok block) {
          Jobs.paid(state, row, now(), caller, amount, block);
          #Ok({ amount_e8s = amount - fee : Nat; ledger_block = block });
        };
        case (#Err other) #Err(#Refused("the ledger refused: " # debug_show other));
      };
    } catch error {
      Jobs.release(row);
      #Err(#Refused("the ledger did not answer: " # Error.message(error)));
    };
  };

  public query func workers_list() : async [T.Worker] { Array.fromIter<T.Worker>(Map.values(state.workers)) };
  public query func job_get(id : Nat) : async ?T.Job { switch (Jobs.find(state, id)) { case (?row) ?Jobs.shown(row); case null null } };
  public query func jobs_list(args : { start : Nat; length : Nat }) : async { total : Nat; jobs : [T.Job] } { Jobs.list(state, args.start, args.length) };
  public query func requests_for(owner : Principal) : async [T.Job] { Jobs.requestsFor(state, owner) };

  public query func icrc3_get_blocks(args : Log.GetBlocksArgs) : async Log.GetBlocksResult { Log.getBlocks(state.log, args) };
  public query func icrc3_get_tip_certificate() : async ?Log.DataCertificate { Log.tipCertificate(state.log) };
  public query func icrc3_get_archives(_ : { from : ?Principal }) : async [{ canister_id : Principal; start : Nat; end : Nat }] { [] };
  public query func icrc3_supported_block_types() : async [Log.SupportedBlockType] {
    Array.map<Text, Log.SupportedBlockType>(Jobs.blockTypes, func t = { block_type = t; url = "docs/log.md" });
  };
};
