/// Training jobs from proposal to settlement: approvals, escrow, claim, result, attribution.
///
/// Plain functions over a state, none of them waits; the actor in `main.mo` supplies caller, time and other canisters' answers.
/// `proposed -> approved -> funded -> claimed -> running -> submitted -> settled`; every other exit gives the escrow back.
import Array "mo:core/Array";
import Blob "mo:core/Blob";
import List "mo:core/List";
import Map "mo:core/Map";
import Nat "mo:core/Nat";
import Nat64 "mo:core/Nat64";
import Int "mo:core/Int";
import Principal "mo:core/Principal";
import Blocks "Blocks";
import Checks "Checks";
import Log "../lib/Log";
import Page "../lib/Page";
import Payment "../lib/Payment";
import RT "../registry/Types";
import Rounding "../lib/Rounding";
import T "Types";
import V "../lib/Value";

module {
  public type Row = {
    id : Nat;
    builder : Principal;
    args : T.JobArgs;
    proposed_at_ns : Nat64;
    block : Nat;
    var state : T.JobState;
    var reason : Text;
    var approvals : [T.Approval];
    var escrow : Nat;
    var worker : ?Principal;
    var lease : Nat;
    var result : ?T.Result;
    var shares : [T.Share];
    var payouts : [T.Payout];
    var updated : Nat;
    var busy : Bool; // a call about the job waits for the ledger
    var funding : ?Nat64; // the budget has been asked for at this time, and the outcome is not known yet
    orders : Map.Map<Principal, Payment.Order>; // payouts under way
  };

  public type State = {
    rows : List.List<Row>;
    keys : Map.Map<Blob, Nat>;
    workers : Map.Map<Principal, T.Worker>;
    log : Log.Log;
    var orders : Nat; // payouts ever ordered
  };

  public func empty() : State = {
    rows = List.empty<Row>();
    keys = Map.empty<Blob, Nat>();
    workers = Map.empty<Principal, T.Worker>();
    log = Log.empty();
    var orders = 0;
  };

  public let leaseNs : Nat = 600_000_000_000; // ten minutes
  let maxWorkers = 2_000; // in one answer
  let maxReason = 1_000;

  // --- looking up ---

  public func find(state : State, id : Nat) : ?Row = if (id == 0) null else List.get(state.rows, id - 1 : Nat);

  public func shown(row : Row) : T.Job = {
    id = row.id;
    builder = row.builder;
    args = row.args;
    state = row.state;
    reason = row.reason;
    approvals = row.approvals;
    escrow_e8s = row.escrow;
    worker = row.worker;
    lease_until_ns = Nat64.fromNat(row.lease);
    result = row.result;
    shares = row.shares;
    payouts = row.payouts;
    proposed_at_ns = row.proposed_at_ns;
    updated_at_ns = Nat64.fromNat(row.updated);
    block = row.block;
  };

  public func list(state : State, start : Nat, length : Nat) : { total : Nat; jobs : [T.Job] } {
    let total = List.size(state.rows);
    let end = Nat.min(total, start + Nat.min(length, 50));
    { total; jobs = if (start >= end) [] else fitting(Array.map<Row, T.Job>(List.sliceToArray(state.rows, start, end), shown)) };
  };

  func fitting(jobs : [T.Job]) : [T.Job] = Page.fitting<T.Job>(jobs, func j = (to_candid (j)).size());

  /// What an owner can still decide, oldest first.
  public func requestsFor(state : State, owner : Principal, now : Nat) : [T.Job] {
    let found = List.empty<T.Job>();
    for (row in List.values(state.rows)) {
      let open = row.state == #Proposed and not late(row, now);
      let waits = open and Array.any<T.Approval>(row.approvals, func a = a.owner == owner and a.state == #Pending);
      if (waits and List.size(found) < 50) List.add(found, shown(row));
    };
    fitting(List.toArray(found));
  };

  public func workers(state : State) : [T.Worker] {
    let all = Array.fromIter<T.Worker>(Map.values(state.workers));
    if (all.size() > maxWorkers) Array.sliceToArray<T.Worker>(all, 0, maxWorkers) else all;
  };

  /// While the budget is on its way nothing else may become of the job: else the tokens would arrive at a job that is over.
  public func held(row : Row) : Bool = row.busy or row.funding != null;

  func wrongState(row : Row, needed : Text) : T.JobResult = #Err(#WrongState({ state = row.state; needed }));

  // --- workers ---

  public func registerWorker(state : State, caller : Principal, now : Nat, name : Text, encryption_key : Blob) : { #Ok : T.Worker; #Err : T.JobError } {
    if (name.size() == 0 or name.size() > 60) return #Err(#Invalid("name: 1 to 60 characters"));
    if (encryption_key.size() != 65 or Blob.toArray(encryption_key)[0] != 4) return #Err(#Invalid("encryption_key: an uncompressed P-256 point, 65 bytes"));
    for (other in Map.values(state.workers)) {
      if (other.name == name and other.principal != caller) return #Err(#Invalid("name: another worker has it"));
    };
    switch (Map.get(state.workers, Principal.compare, caller)) {
      case (?known) {
        // Keys that owners have wrapped for the old one could not be opened any more.
        if (known.encryption_key != encryption_key) return #Err(#Invalid("encryption_key: a worker's key cannot change; register another worker"));
        if (known.name == name) return #Ok known;
      };
      case null {};
    };
    let worker = { principal = caller; name; encryption_key; registered_at_ns = Nat64.fromNat(now) };
    Map.add(state.workers, Principal.compare, caller, worker);
    ignore Log.append(state.log, now, "worker_registered", [("worker", ?V.principal(caller)), ("name", ?#Text name), ("encryption_key", ?#Blob encryption_key)]);
    #Ok worker;
  };

  // --- proposing ---

  public func requests(caller : Principal, args : T.JobArgs) : [RT.UseRequest] {
    Array.map<{ dataset_id : Nat; version : Nat }, RT.UseRequest>(
      args.datasets,
      func d = {
        dataset_id = d.dataset_id;
        version = d.version;
        builder = caller;
        purpose = args.purpose;
        code_hash = args.code_hash;
        compute = (args.compute : RT.Compute);
        epsilon_micros = args.epsilon_micros;
      },
    );
  };

  /// Record a proposal with what each policy said to it.
  public func propose(state : State, caller : Principal, now : Nat, args : T.JobArgs, verdicts : [?RT.Verdict]) : T.JobResult {
    let id = List.size(state.rows) + 1;
    let at = Nat64.fromNat(now);
    let block = Log.size(state.log); // that of "job_proposed", below
    let approvals = List.empty<T.Approval>();
    var cost = args.worker_fee_e8s;
    var i = 0;
    for (verdict in verdicts.vals()) {
      let wanted = args.datasets[i];
      let ?v = verdict else return #Err(#NotFound("dataset " # Nat.toText(wanted.dataset_id) # " version " # Nat.toText(wanted.version)));
      let decided : T.ApprovalState = switch (v.decision) {
        case (#AutoApprove) #Approved({ by = #Policy; workers = v.workers });
        case (#Ask) #Pending;
        case (#Deny) #Denied({ by = #Policy; reason = v.reason });
      };
      List.add(
        approvals,
        { dataset_id = v.dataset_id; version = wanted.version; owner = v.owner; policy_version = v.policy_version; price_e8s = v.price_e8s; state = decided; at_ns = at; block },
      );
      cost += v.price_e8s;
      i += 1;
    };
    if (cost > args.budget_e8s) return #Err(#Invalid("budget_e8s: the worker's fee and the prices come to " # Nat.toText(cost)));
    let row : Row = {
      id;
      builder = caller;
      args;
      proposed_at_ns = at;
      block;
      var state = #Proposed;
      var reason = "";
      var approvals = List.toArray(approvals);
      var escrow = 0;
      var worker = null;
      var lease = 0;
      var result = null;
      var shares = [];
      var payouts = [];
      var updated = now;
      var busy = false;
      var funding = null;
      orders = Map.empty<Principal, Payment.Order>();
    };
    ignore Log.append(
      state.log,
      now,
      "job_proposed",
      [("job_id", ?#Nat id), ("builder", ?V.principal(caller)), ("args", ?Blocks.args(args)), ("approvals", ?V.list<T.Approval>(row.approvals, Blocks.approval))],
    );
    List.add(state.rows, row);
    Map.add(state.keys, Blob.compare, V.owned(caller, args.key), id);
    advance(state, row, now);
    #Ok(shown(row));
  };

  /// What follows from the approvals: all given, or one refused.
  func advance(state : State, row : Row, now : Nat) {
    for (a in row.approvals.vals()) {
      let why = switch (a.state) {
        case (#Denied({ reason })) ?reason;
        case (#Revoked({ reason })) ?("its owner took the approval back: " # reason);
        case _ null;
      };
      switch why {
        case (?reason) {
          row.state := #Denied;
          row.reason := "dataset " # Nat.toText(a.dataset_id) # ": " # reason;
          refundAll(row);
          note(state, row, now, "job_denied", [("reason", ?#Text(row.reason)), payoutsField(row)]);
          return;
        };
        case null {};
      };
    };
    let all = Array.all<T.Approval>(row.approvals, func a = switch (a.state) { case (#Approved _) true; case _ false });
    if (all and row.state == #Proposed) {
      row.state := #Approved;
      note(state, row, now, "job_approved", []);
    };
  };

  func note(state : State, row : Row, now : Nat, btype : Text, fields : [(Text, ?V.Value)]) {
    ignore Log.append(state.log, now, btype, Array.concat<(Text, ?V.Value)>([("job_id", ?#Nat(row.id))], fields));
    row.updated := now;
  };

  // --- approvals ---

  func decideFor(state : State, caller : Principal, now : Nat, jobId : Nat, datasetId : Nat, act : (Row, T.Approval) -> { #Ok : T.Approval; #Err : T.JobError }) : T.JobResult {
    let ?row = find(state, jobId) else return #Err(#NotFound("job " # Nat.toText(jobId)));
    let ?approval = Array.find<T.Approval>(row.approvals, func a = a.dataset_id == datasetId) else return #Err(#NotFound("the job does not name dataset " # Nat.toText(datasetId)));
    if (approval.owner != caller) return #Err(#NotOwner({ owner = approval.owner }));
    switch (act(row, approval)) {
      case (#Err e) #Err e;
      case (#Ok changed) {
        row.approvals := Array.map<T.Approval, T.Approval>(row.approvals, func a = if (a.dataset_id == datasetId) changed else a);
        advance(state, row, now);
        #Ok(shown(row));
      };
    };
  };

  func late(row : Row, now : Nat) : Bool = Nat64.toNat(row.args.approve_by_ns) <= now;

  public func approve(state : State, caller : Principal, now : Nat, jobId : Nat, datasetId : Nat, policyVersion : Nat, workers : [Principal]) : T.JobResult {
    decideFor(
      state,
      caller,
      now,
      jobId,
      datasetId,
      func(row, a) {
        if (row.state != #Proposed) return #Err(#WrongState({ state = row.state; needed = "proposed" }));
        if (late(row, now)) return #Err(#Invalid("the time to approve is over"));
        if (a.state != #Pending) return #Err(#Invalid("this dataset is decided already"));
        if (a.policy_version != policyVersion) return #Err(#Invalid("the request was made under policy version " # Nat.toText(a.policy_version)));
        if (workers.size() == 0 or workers.size() > 100) return #Err(#Invalid("workers: name 1 to 100 workers that may be given the key"));
        for (w in workers.vals()) {
          if (Map.get(state.workers, Principal.compare, w) == null) return #Err(#Invalid("workers: " # Principal.toText(w) # " is not a registered worker"));
        };
        let block = Log.append(
          state.log,
          now,
          "dataset_approved",
          [("job_id", ?#Nat jobId), ("dataset_id", ?#Nat datasetId), ("owner", ?V.principal(caller)), ("by", ?#Text "Owner"), ("policy_version", ?#Nat policyVersion), ("workers", ?V.principals(workers))],
        );
        #Ok({ a with state = #Approved({ by = #Owner; workers }); at_ns = Nat64.fromNat(now); block });
      },
    );
  };

  public func deny(state : State, caller : Principal, now : Nat, jobId : Nat, datasetId : Nat, reason : Text) : T.JobResult {
    if (reason.size() == 0 or reason.size() > maxReason) return #Err(#Invalid("reason: 1 to 1000 characters, so that the builder can learn from it"));
    decideFor(
      state,
      caller,
      now,
      jobId,
      datasetId,
      func(row, a) {
        if (row.state != #Proposed) return #Err(#WrongState({ state = row.state; needed = "proposed" }));
        if (a.state != #Pending) return #Err(#Invalid("this dataset is decided already"));
        let block = Log.append(
          state.log,
          now,
          "dataset_denied",
          [("job_id", ?#Nat jobId), ("dataset_id", ?#Nat datasetId), ("owner", ?V.principal(caller)), ("by", ?#Text "Owner"), ("reason", ?#Text reason)],
        );
        #Ok({ a with state = #Denied({ by = #Owner; reason }); at_ns = Nat64.fromNat(now); block });
      },
    );
  };

  /// Until a worker has claimed the job, an owner can take an approval back, a policy's too.
  public func revoke(state : State, caller : Principal, now : Nat, jobId : Nat, datasetId : Nat, reason : Text) : T.JobResult {
    if (reason.size() == 0 or reason.size() > maxReason) return #Err(#Invalid("reason: 1 to 1000 characters, so that the builder can learn from it"));
    decideFor(
      state,
      caller,
      now,
      jobId,
      datasetId,
      func(row, a) {
        switch (row.state) { case (#Proposed or #Approved or #Funded) {}; case other return #Err(#WrongState({ state = other; needed = "proposed, approved or funded" })) };
        switch (a.state) { case (#Approved _) {}; case _ return #Err(#Invalid("there is no approval to take back")) };
        let block = Log.append(
          state.log,
          now,
          "approval_revoked",
          [("job_id", ?#Nat jobId), ("dataset_id", ?#Nat datasetId), ("owner", ?V.principal(caller)), ("reason", ?#Text reason)],
        );
        #Ok({ a with state = #Revoked({ reason }); at_ns = Nat64.fromNat(now); block });
      },
    );
  };

  // --- money in, money back ---

  /// May the builder pay now?
  public func fundable(caller : Principal, now : Nat, row : Row) : ?T.JobError {
    if (row.builder != caller) return ?#NotBuilder({ builder = row.builder });
    if (row.busy) return ?#Busy;
    if (row.funding != null) return null; // asked for before: the same order again
    if (row.state != #Approved) return ?#WrongState({ state = row.state; needed = "approved" });
    if (late(row, now)) return ?#Invalid("the time to approve and fund is over");
    null;
  };

  public func funded(state : State, row : Row, now : Nat, ledgerBlock : Nat) : T.JobResult {
    row.funding := null;
    row.escrow := row.args.budget_e8s;
    row.state := #Funded;
    note(state, row, now, "job_funded", [("amount_e8s", ?#Nat(row.escrow)), ("ledger_block", ?#Nat ledgerBlock)]);
    #Ok(shown(row));
  };

  func refundAll(row : Row) {
    if (row.escrow > 0) row.payouts := [{ owner = row.builder; kind = #Refund; amount_e8s = row.escrow; claimed_block = null }];
  };

  func payoutsField(row : Row) : (Text, ?V.Value) = ("payouts", ?V.list<T.Payout>(row.payouts, Blocks.payout));

  public func cancel(state : State, caller : Principal, now : Nat, row : Row) : T.JobResult {
    if (row.builder != caller) return #Err(#NotBuilder({ builder = row.builder }));
    switch (row.state) { case (#Proposed or #Approved or #Funded) {}; case _ return wrongState(row, "proposed, approved or funded") };
    row.state := #Cancelled;
    row.reason := "the builder took it back";
    refundAll(row);
    note(state, row, now, "job_cancelled", [payoutsField(row)]);
    #Ok(shown(row));
  };

  public func expire(state : State, now : Nat, row : Row) : T.JobResult {
    switch (row.state) {
      case (#Proposed or #Approved) if (not late(row, now)) return #Err(#Invalid("its time to be approved and funded is not over"));
      case (#Funded or #Claimed or #Running) if (Nat64.toNat(row.args.finish_by_ns) > now) return #Err(#Invalid("its time to finish is not over"));
      case _ return wrongState(row, "proposed to running");
    };
    row.reason := "its deadline passed while it was " # stateName(row.state);
    row.state := #Expired;
    refundAll(row);
    note(state, row, now, "job_expired", [("reason", ?#Text(row.reason)), payoutsField(row)]);
    #Ok(shown(row));
  };

  // --- work ---

  /// May this worker claim? Everything but what the registry must say.
  public func claimable(state : State, caller : Principal, now : Nat, row : Row) : ?T.JobError {
    if (Map.get(state.workers, Principal.compare, caller) == null) return ?#NotWorker("register as a worker first");
    switch (row.state) {
      case (#Funded) {};
      case (#Claimed or #Running) {
        if (row.worker != ?caller and now < row.lease) return ?#WrongState({ state = row.state; needed = "funded, or a lease that has lapsed" });
      };
      case _ return ?#WrongState({ state = row.state; needed = "funded" });
    };
    if (Nat64.toNat(row.args.finish_by_ns) <= now) return ?#Invalid("its time to finish is over");
    switch (row.args.worker) { case (?named) if (named != caller) return ?#NotWorker("the builder chose another worker"); case null {} };
    for (a in row.approvals.vals()) {
      switch (a.state) {
        case (#Approved({ workers })) if (not Array.any<Principal>(workers, func w = w == caller)) {
          return ?#NotWorker("the owner of dataset " # Nat.toText(a.dataset_id) # " does not let this worker have the key");
        };
        case _ return ?#WrongState({ state = row.state; needed = "an approval of every dataset" });
      };
    };
    null;
  };

  public func uses(row : Row) : [RT.TakeUse] {
    Array.map<T.Approval, RT.TakeUse>(row.approvals, func a = { dataset_id = a.dataset_id; version = a.version; policy_version = a.policy_version });
  };

  /// The registry has been asked, and meanwhile another may have claimed, or an owner or the builder taken the job back: `claimable` anew.
  public func claimed(state : State, caller : Principal, now : Nat, row : Row) : T.JobResult {
    switch (claimable(state, caller, now, row)) { case (?e) return #Err e; case null {} };
    row.worker := ?caller;
    row.lease := now + leaseNs;
    row.state := #Claimed;
    note(state, row, now, "job_claimed", [("worker", ?V.principal(caller)), ("lease_until_ns", ?#Nat(row.lease))]);
    #Ok(shown(row));
  };

  func mine(row : Row, caller : Principal) : ?T.JobError {
    if (row.worker == ?caller) null else ?#NotWorker("this job is claimed by " # (switch (row.worker) { case (?w) Principal.toText(w); case null "nobody" }));
  };

  public func renew(caller : Principal, now : Nat, row : Row) : T.JobResult {
    switch (mine(row, caller)) { case (?e) return #Err e; case null {} };
    switch (row.state) { case (#Claimed or #Running) {}; case _ return wrongState(row, "claimed or running") };
    row.lease := now + leaseNs;
    #Ok(shown(row));
  };

  public func start(state : State, caller : Principal, now : Nat, row : Row) : T.JobResult {
    switch (mine(row, caller)) { case (?e) return #Err e; case null {} };
    if (row.state == #Running) return #Ok(shown(row));
    if (row.state != #Claimed) return wrongState(row, "claimed");
    row.state := #Running;
    row.lease := now + leaseNs;
    note(state, row, now, "job_started", []);
    #Ok(shown(row));
  };

  public func submit(state : State, caller : Principal, now : Nat, row : Row, result : T.Result) : T.JobResult {
    switch (mine(row, caller)) { case (?e) return #Err e; case null {} };
    if (row.state != #Running) return wrongState(row, "running");
    if (Nat64.toNat(row.args.finish_by_ns) <= now) return #Err(#Invalid("its time to finish is over"));
    switch (Checks.wrongResult(row.args, result)) { case (?reason) return #Err(#Invalid reason); case null {} };
    row.result := ?result;
    row.state := #Submitted;
    note(state, row, now, "job_submitted", [("result", ?Blocks.result(result))]);
    #Ok(shown(row));
  };

  public func fail(state : State, caller : Principal, now : Nat, row : Row, kind : Text, reason : Text) : T.JobResult {
    switch (mine(row, caller)) { case (?e) return #Err e; case null {} };
    switch (row.state) { case (#Claimed or #Running) {}; case _ return wrongState(row, "claimed or running") };
    if (kind.size() == 0 or kind.size() > 60 or reason.size() > maxReason) return #Err(#Invalid("kind: 1 to 60 characters; reason: at most 1000"));
    row.state := #Failed({ kind; reason });
    row.reason := reason;
    refundAll(row);
    note(state, row, now, "job_failed", [("kind", ?#Text kind), ("reason", ?#Text reason), payoutsField(row)]);
    #Ok(shown(row));
  };

  /// Shares in proportion to what each dataset was worth, and the escrow to those it is due. Sums are exact.
  public func settle(state : State, now : Nat, row : Row) : T.JobResult {
    if (row.state == #Settled) return #Ok(shown(row));
    let ?result = row.result else return wrongState(row, "submitted");
    let ?worker = row.worker else return wrongState(row, "submitted");
    if (row.state != #Submitted) return wrongState(row, "submitted");
    let weights = Array.map<T.Approval, Nat>(
      row.approvals,
      func a = switch (Array.find<T.Attribution>(result.attribution, func x = x.dataset_id == a.dataset_id)) {
        case (?x) if (x.value_ppm > 0) Int.abs(x.value_ppm) else 0;
        case null 0;
      },
    );
    let parts = Rounding.split(row.args.terms.contributors_bps, weights);
    let shares = List.empty<T.Share>();
    let payouts = List.empty<T.Payout>();
    var rest : Nat = row.escrow;
    var i = 0;
    for (a in row.approvals.vals()) {
      List.add(shares, { owner = a.owner; role = #Contributor({ dataset_id = a.dataset_id }); share_bps = parts[i] });
      if (a.price_e8s > 0) List.add(payouts, { owner = a.owner; kind = #Price({ dataset_id = a.dataset_id }); amount_e8s = a.price_e8s; claimed_block = null });
      rest -= a.price_e8s;
      i += 1;
    };
    let terms = row.args.terms;
    if (terms.builder_bps > 0) List.add(shares, { owner = row.builder; role = #Builder; share_bps = terms.builder_bps });
    if (terms.worker_bps > 0) List.add(shares, { owner = worker; role = #Worker; share_bps = terms.worker_bps });
    if (row.args.worker_fee_e8s > 0) List.add(payouts, { owner = worker; kind = #WorkerFee; amount_e8s = row.args.worker_fee_e8s; claimed_block = null });
    rest -= row.args.worker_fee_e8s;
    if (rest > 0) List.add(payouts, { owner = row.builder; kind = #Refund; amount_e8s = rest; claimed_block = null });
    row.shares := List.toArray(shares);
    row.payouts := List.toArray(payouts);
    row.state := #Settled;
    note(state, row, now, "job_settled", [("shares", ?V.list<T.Share>(row.shares, Blocks.share)), payoutsField(row)]);
    #Ok(shown(row));
  };

  // --- money out ---

  public func due(row : Row, owner : Principal) : Nat {
    Array.foldLeft<T.Payout, Nat>(row.payouts, 0, func(sum, p) = if (p.owner == owner and p.claimed_block == null) sum + p.amount_e8s else sum);
  };

  /// Write down what is to be sent to an owner, all that is due to it at once.
  public func order(state : State, row : Row, now : Nat, owner : Principal, fee : Nat) : { #Ok : Payment.Order; #Err : T.JobError } {
    let gross = due(row, owner);
    if (gross == 0) return #Err(#NotFound("nothing is due to you from job " # Nat.toText(row.id)));
    switch (Payment.tooSmall(gross, fee)) { case (?reason) return #Err(#Invalid reason); case null {} };
    let made = { id = state.orders; to = owner; gross_e8s = gross; fee_e8s = fee; created_at_ns = Nat64.fromNat(now) };
    state.orders += 1;
    Map.add(row.orders, Principal.compare, owner, made);
    #Ok made;
  };

  public func paid(state : State, row : Row, now : Nat, order : Payment.Order, ledgerBlock : Nat) {
    Map.remove(row.orders, Principal.compare, order.to);
    row.payouts := Array.map<T.Payout, T.Payout>(
      row.payouts,
      func p = if (p.owner == order.to and p.claimed_block == null) ({ p with claimed_block = ?ledgerBlock }) else p,
    );
    row.escrow -= order.gross_e8s;
    note(state, row, now, "payout_claimed", [("owner", ?V.principal(order.to)), ("amount_e8s", ?#Nat(order.gross_e8s)), ("ledger_block", ?#Nat ledgerBlock)]);
  };

  func stateName(s : T.JobState) : Text = switch s {
    case (#Proposed) "proposed";
    case (#Approved) "approved";
    case (#Funded) "funded";
    case (#Claimed) "claimed";
    case (#Running) "running";
    case _ "over";
  };
};
