/// The jobs canister's door, and the only place that waits for others. What it decides stands in `Jobs.mo`.
import Array "mo:core/Array";
import Blob "mo:core/Blob";
import Error "mo:core/Error";
import Int "mo:core/Int";
import Map "mo:core/Map";
import Nat "mo:core/Nat";
import Nat64 "mo:core/Nat64";
import Principal "mo:core/Principal";
import Time "mo:core/Time";
import Blocks "Blocks";
import Checks "Checks";
import Jobs "Jobs";
import LT "../ledger/Types";
import Log "../lib/Log";
import Payment "../lib/Payment";
import RT "../registry/Types";
import T "Types";
import V "../lib/Value";

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
    if (Jobs.held(row)) return #Err(#Busy);
    act(row);
  };

  /// The escrow of a job: a subaccount of its own.
  func escrow(id : Nat) : Blob = Payment.number(id, 32);

  public shared ({ caller }) func worker_register(args : { name : Text; encryption_key : Blob }) : async { #Ok : T.Worker; #Err : T.JobError } {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    Jobs.registerWorker(state, caller, now(), args.name, args.encryption_key);
  };

  public shared ({ caller }) func job_propose(args : T.JobArgs) : async T.JobResult {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    func known() : ?T.JobResult {
      let ?id = Map.get(state.keys, Blob.compare, V.owned(caller, args.key)) else return null;
      let ?row = Jobs.find(state, id) else return null;
      ?#Ok(Jobs.shown(row));
    };
    switch (known()) { case (?before) return before; case null {} };
    switch (Checks.wrongArgs(args, now())) { case (?reason) return #Err(#Invalid reason); case null {} };
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
    switch (Jobs.fundable(caller, now(), row)) { case (?e) return #Err e; case null {} };
    // Written before it is sent: asked again after a lost answer, the ledger moves the tokens once and names the same block.
    let at = switch (row.funding) { case (?before) before; case null Nat64.fromNat(now()) };
    row.funding := ?at;
    row.busy := true;
    try {
      let answer = await ledger().icrc2_transfer_from({
        spender_subaccount = null;
        from = { owner = caller; subaccount = null };
        to = { owner = Principal.fromActor(self); subaccount = ?escrow(id) };
        amount = row.args.budget_e8s;
        fee = null;
        memo = null;
        created_at_time = ?at;
      });
      switch answer {
        // From here it must not fail: the tokens have moved.
        case (#Ok block) Jobs.funded(state, row, now(), block);
        case (#Err(#Duplicate({ duplicate_of }))) Jobs.funded(state, row, now(), duplicate_of);
        case (#Err error) {
          row.funding := null;
          #Err(notFunded(row, error));
        };
      };
    } catch error {
      row.funding := null; // a call that was rejected has changed nothing
      #Err(#Refused("the ledger did not answer: " # Error.message(error)));
    } finally { row.busy := false };
  };

  func notFunded(row : Jobs.Row, error : LT.TransferFromError) : T.JobError {
    let reason = switch error {
      case (#InsufficientFunds({ balance })) "your balance is " # Nat.toText(balance) # " e8s; the ledger's fee comes on top";
      case (#InsufficientAllowance({ allowance })) "you have approved " # Nat.toText(allowance) # " e8s for the jobs canister; approve the budget and the ledger's fee";
      case other return #Refused("the ledger refused: " # debug_show other);
    };
    #NotFunded({ needed_e8s = row.args.budget_e8s; reason });
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
    // Nothing is held meanwhile: the registry counts a job once however often it is asked, and `claimed` looks again.
    let taken = try { await registry().uses_take({ job_id = id; uses = Jobs.uses(row) }) } catch error {
      return #Err(#Refused("the registry did not answer: " # Error.message(error)));
    };
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
    if (row.busy) return #Err(#Busy);
    row.busy := true;
    try {
      let before = Map.get(row.orders, Principal.compare, caller); // sent before, and the answer was lost
      let order = switch before {
        case (?order) order;
        case null {
          if (Jobs.due(row, caller) == 0) return #Err(#NotFound("nothing is due to you from job " # Nat.toText(id)));
          let fee = await ledger().icrc1_fee();
          switch (Jobs.order(state, row, now(), caller, fee)) { case (#Err e) return #Err e; case (#Ok order) order };
        };
      };
      let outcome = try { Payment.outcome(await ledger().icrc1_transfer(Payment.transfer(order, ?escrow(id)))) } catch error {
        #Refused("the ledger did not answer: " # Error.message(error));
      };
      switch outcome {
        // From here it must not fail: the tokens have moved.
        case (#Sent block) {
          Jobs.paid(state, row, now(), order, block);
          #Ok({ amount_e8s = order.gross_e8s - order.fee_e8s : Nat; ledger_block = block });
        };
        case (#Refused why) {
          // Refused at the first try, it has surely not moved. Otherwise only the ledger's log can tell, and the order stays.
          if (before == null) Map.remove(row.orders, Principal.compare, caller);
          #Err(#Refused why);
        };
      };
    } catch error {
      #Err(#Refused("the ledger did not answer: " # Error.message(error)));
    } finally { row.busy := false };
  };

  public query func workers_list() : async [T.Worker] { Jobs.workers(state) };
  public query func job_get(id : Nat) : async ?T.Job { switch (Jobs.find(state, id)) { case (?row) ?Jobs.shown(row); case null null } };
  public query func jobs_list(args : { start : Nat; length : Nat }) : async { total : Nat; jobs : [T.Job] } { Jobs.list(state, args.start, args.length) };
  public query func requests_for(owner : Principal) : async [T.Job] { Jobs.requestsFor(state, owner, now()) };

  system func postupgrade() { Log.certify(state.log) };

  public query func icrc3_get_blocks(args : Log.GetBlocksArgs) : async Log.GetBlocksResult { Log.getBlocks(state.log, args) };
  public query func icrc3_get_tip_certificate() : async ?Log.DataCertificate { Log.tipCertificate(state.log) };
  public query func icrc3_get_archives(_ : { from : ?Principal }) : async [{ canister_id : Principal; start : Nat; end : Nat }] { [] };
  public query func icrc3_supported_block_types() : async [Log.SupportedBlockType] {
    Array.map<Text, Log.SupportedBlockType>(Blocks.blockTypes, func t = { block_type = t; url = "docs/log.md" });
  };
};
