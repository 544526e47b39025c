/// Owners, votes and income of one model.
///
/// Plain functions over a state, none of them waits; the actor in `main.mo` supplies caller, time and other canisters' answers.
/// What an adopted release needs on its way to being live stands in `Releases.mo`.
import Array "mo:core/Array";
import Iter "mo:core/Iter";
import List "mo:core/List";
import Map "mo:core/Map";
import Nat "mo:core/Nat";
import Nat32 "mo:core/Nat32";
import Nat64 "mo:core/Nat64";
import Principal "mo:core/Principal";
import Text "mo:core/Text";
import VarArray "mo:core/VarArray";
import Blocks "Blocks";
import Checks "Checks";
import Log "../lib/Log";
import Page "../lib/Page";
import Payment "../lib/Payment";
import Rounding "../lib/Rounding";
import T "Types";
import V "../lib/Value";

module {
  public type Row = {
    id : Nat;
    proposer : Principal;
    args : T.ProposalArgs;
    manifest_hash : ?Blob;
    submitted_at_ns : Nat64;
    block : Nat;
    critical : Bool;
    total : Nat;
    var ballots : [T.Ballot];
    var yes : Nat;
    var no : Nat;
    var state : T.ProposalState;
    var deadline : Nat;
    var decided : ?Nat;
    var begun : Nat; // when an upgrade was asked for
    var order : ?Payment.Order; // a payment out of the treasury, under way
    var wasm : [var ?Blob]; // staged chunks; given up when they cannot be needed any more
    var weights : [var ?Blob];
  };

  /// What a payer has paid for an answer that is not there yet.
  public type Prepaid = { payer : Principal; price : Nat; at : Nat };

  public type State = {
    proposals : List.List<Row>;
    holders : Map.Map<Principal, Nat>;
    credits : Map.Map<Principal, Nat>; // what each may claim, e8s
    orders : Map.Map<Principal, Payment.Order>; // claims under way
    prepaid : Map.Map<Nat, Prepaid>; // by the ledger's block
    log : Log.Log;
    var parameters : T.Parameters;
    var inference : ?Principal; // serves
    var standby : ?Principal; // takes the next release; served the former one
    var live : ?T.Live;
    var treasury : Nat;
    var revenue : Nat;
    var paidCalls : Nat;
    var ordered : Nat; // payments ever ordered
  };

  let maxOpen = 20;
  let maxOpenEach = 5; // so that one holder cannot keep the others from proposing
  let maxHolders = 500; // each paid answer names them all in its block
  let maxReason = 500;

  public func found(init : T.Init, now : Nat) : State {
    let state : State = {
      proposals = List.empty<Row>();
      holders = Map.empty<Principal, Nat>();
      credits = Map.empty<Principal, Nat>();
      orders = Map.empty<Principal, Payment.Order>();
      prepaid = Map.empty<Nat, Prepaid>();
      log = Log.empty();
      var parameters = init.parameters;
      var inference = null;
      var standby = null;
      var live = null;
      var treasury = 0;
      var revenue = 0;
      var paidCalls = 0;
      var ordered = 0;
    };
    for (h in init.holders.vals()) Map.add(state.holders, Principal.compare, h.owner, h.shares);
    ignore Log.append(
      state.log,
      now,
      "founded",
      [
        ("job_id", ?#Nat(init.job_id)),
        ("name", ?#Text(init.name)),
        ("jobs", ?V.principal(init.jobs)),
        ("ledger", ?V.principal(init.ledger)),
        ("factory", ?V.principal(init.factory)),
        ("holders", ?Blocks.holders(init.holders)),
        ("parameters", ?Blocks.parameters(init.parameters)),
      ],
    );
    state;
  };

  public func shares(state : State, owner : Principal) : Nat = switch (Map.get(state.holders, Principal.compare, owner)) { case (?n) n; case null 0 };

  public func holders(state : State) : [T.Holder] = Array.map<(Principal, Nat), T.Holder>(Map.toArray(state.holders), func(owner, n) = { owner; shares = n });

  public func find(state : State, id : Nat) : ?Row = if (id == 0) null else List.get(state.proposals, id - 1 : Nat);

  public func shown(row : Row) : T.Proposal = {
    id = row.id;
    proposer = row.proposer;
    title = row.args.title;
    summary = row.args.summary;
    kind = row.args.kind;
    manifest_hash = row.manifest_hash;
    state = row.state;
    yes = row.yes;
    no = row.no;
    total = row.total;
    ballots = row.ballots;
    submitted_at_ns = row.submitted_at_ns;
    deadline_ns = Nat64.fromNat(row.deadline);
    decided_at_ns = switch (row.decided) { case (?at) ?Nat64.fromNat(at); case null null };
    critical = row.critical;
    block = row.block;
    wasm_staged = staged(row.wasm);
    weights_staged = staged(row.weights);
  };

  func staged(chunks : [var ?Blob]) : [Nat32] {
    let found = List.empty<Nat32>();
    var i = 0;
    while (i < chunks.size()) {
      if (chunks[i] != null) List.add(found, Nat32.fromNat(i));
      i += 1;
    };
    List.toArray(found);
  };

  public func list(state : State, start : Nat, length : Nat) : { total : Nat; proposals : [T.Proposal] } {
    let total = List.size(state.proposals);
    let end = Nat.min(total, start + Nat.min(length, 20));
    if (start >= end) return { total; proposals = [] };
    let page = Array.map<Row, T.Proposal>(List.sliceToArray(state.proposals, start, end), shown);
    { total; proposals = Page.fitting<T.Proposal>(page, func p = (to_candid (p)).size()) };
  };

  // --- proposing and voting ---

  public func wrongProposal(state : State, caller : Principal, args : T.ProposalArgs) : ?T.CoopError {
    if (shares(state, caller) == 0) return ?#NoShares;
    if (args.title.size() == 0 or args.title.size() > 200) return ?#Invalid("title: 1 to 200 characters");
    if (args.summary.size() > 5_000) return ?#Invalid("summary: at most 5000 characters");
    let open = List.filter<Row>(state.proposals, func row = row.state == #Voting);
    if (List.size(open) >= maxOpen) return ?#Closed("20 proposals are open already: wait until one is decided");
    if (List.size(List.filter<Row>(open, func row = row.proposer == caller)) >= maxOpenEach) return ?#Closed("5 of your proposals are open already: wait until one is decided");
    let reason = switch (args.kind) {
      case (#Parameters p) T.wrongParameters(p);
      case (#TreasuryTransfer({ amount_e8s; to })) {
        if (amount_e8s == 0 or amount_e8s > 1_000_000_000_000_000_000) ?"amount_e8s: 1 to 10^18" else if (Principal.isAnonymous(to)) ?"to: not the anonymous principal" else null;
      };
      case (#Upgrade({ module_hash })) if (module_hash.size() != 32) ?"module_hash: a SHA-256 has 32 bytes" else null;
      case (#Release m) Checks.wrongManifest(m);
    };
    switch reason { case (?why) ?#Invalid why; case null null };
  };

  /// Who holds shares now may vote, with as many: what is transferred later counts where it was.
  public func submit(state : State, caller : Principal, now : Nat, args : T.ProposalArgs) : Row {
    let critical = switch (args.kind) { case (#Upgrade _ or #TreasuryTransfer _) true; case _ false };
    let manifest = switch (args.kind) { case (#Release m) ?V.hash(Blocks.manifest(m)); case _ null };
    let ballots = Array.map<T.Holder, T.Ballot>(holders(state), func h = { owner = h.owner; shares = h.shares; vote = null; at_ns = 0 });
    let id = List.size(state.proposals) + 1;
    let deadline = now + Nat64.toNat(state.parameters.voting_period_ns);
    let block = Log.append(
      state.log,
      now,
      "proposal_submitted",
      [
        ("proposal_id", ?#Nat id),
        ("proposer", ?V.principal(caller)),
        ("title", ?#Text(args.title)),
        ("summary", ?#Text(args.summary)),
        ("kind", ?Blocks.kind(args.kind)),
        ("manifest_hash", V.opt<Blob>(manifest, func h = #Blob h)),
        ("ballots", ?Blocks.ballots(ballots)),
        ("deadline_ns", ?#Nat deadline),
        ("critical", ?V.bool(critical)),
      ],
    );
    let (wasmCount, weightCount) = switch (args.kind) { case (#Release m) (m.wasm_chunks.size(), m.weight_chunks.size()); case _ (0, 0) };
    let row : Row = {
      id;
      proposer = caller;
      args;
      manifest_hash = manifest;
      submitted_at_ns = Nat64.fromNat(now);
      block;
      critical;
      total = Array.foldLeft<T.Ballot, Nat>(ballots, 0, func(sum, b) = sum + b.shares);
      var ballots = ballots;
      var yes = 0;
      var no = 0;
      var state = #Voting;
      var deadline = deadline;
      var decided = null;
      var begun = 0;
      var order = null;
      var wasm = VarArray.repeat<?Blob>(null, wasmCount);
      var weights = VarArray.repeat<?Blob>(null, weightCount);
    };
    List.add(state.proposals, row);
    row;
  };

  public func vote(state : State, caller : Principal, now : Nat, row : Row, yes : Bool) : T.ProposalResult {
    if (row.state != #Voting or row.deadline <= now) return #Err(#Closed("the vote is over"));
    let ?ballot = Array.find<T.Ballot>(row.ballots, func b = b.owner == caller) else return #Err(#NoShares);
    if (ballot.vote != null) return #Err(#AlreadyVoted);
    let before = winning(row);
    row.ballots := Array.map<T.Ballot, T.Ballot>(row.ballots, func b = if (b.owner == caller) ({ b with vote = ?yes; at_ns = Nat64.fromNat(now) }) else b);
    if yes { row.yes += ballot.shares } else { row.no += ballot.shares };
    ignore note(state, row, now, "vote_cast", [("owner", ?V.principal(caller)), ("yes", ?V.bool(yes)), ("shares", ?#Nat(ballot.shares))]);
    // Wait for quiet: who turns the outcome late gives the others time to answer.
    let quiet = now + Nat64.toNat(state.parameters.quiet_period_ns);
    if (winning(row) != before and quiet > row.deadline) {
      row.deadline := quiet;
      ignore note(state, row, now, "deadline_extended", [("deadline_ns", ?#Nat quiet)]);
    };
    decide(state, row, now);
    #Ok(shown(row));
  };

  /// Would it be adopted, were the vote over now? Ordinary: 3 % of all say yes, and more yes than no. Critical: 20 % of all, 67 % of the cast.
  func winning(row : Row) : Bool {
    if (row.critical) { row.yes * 100 >= 20 * row.total and row.yes * 100 >= 67 * (row.yes + row.no) } else {
      row.yes * 100 >= 3 * row.total and row.yes > row.no;
    };
  };

  /// Close a vote that can be closed: at its deadline, or as soon as no further vote could change it.
  public func decide(state : State, row : Row, now : Nat) {
    if (row.state != #Voting) return;
    let over = row.deadline <= now;
    let sure = if (row.critical) row.yes * 100 >= 67 * row.total else row.yes * 2 > row.total;
    let lost = if (row.critical) row.no * 100 > 33 * row.total else row.no * 2 >= row.total;
    if (sure or (over and winning(row))) {
      close(state, row, now, #Adopted, "proposal_adopted");
    } else if (lost or over) {
      close(state, row, now, #Rejected, "proposal_rejected");
      dropChunks(row);
    };
  };

  func close(state : State, row : Row, now : Nat, to : T.ProposalState, btype : Text) {
    row.state := to;
    row.decided := ?now;
    ignore note(state, row, now, btype, [("yes", ?#Nat(row.yes)), ("no", ?#Nat(row.no))]);
  };

  public func note(state : State, row : Row, now : Nat, btype : Text, fields : [(Text, ?V.Value)]) : Nat {
    Log.append(state.log, now, btype, Array.concat<(Text, ?V.Value)>([("proposal_id", ?#Nat(row.id))], fields));
  };

  public func dropChunks(row : Row) {
    row.wasm := VarArray.repeat<?Blob>(null, row.wasm.size());
    row.weights := VarArray.repeat<?Blob>(null, row.weights.size());
  };

  /// Another canister's words, as far as the log keeps them.
  public func brief(reason : Text) : Text = if (reason.size() <= maxReason) reason else Text.fromIter(Iter.take(reason.chars(), maxReason)) # " ...";

  public func failed(state : State, now : Nat, row : Row, reason : Text) {
    row.state := #Failed(brief(reason));
    dropChunks(row);
    ignore note(state, row, now, "proposal_failed", [("reason", ?#Text(brief(reason)))]);
  };

  public func executed(state : State, now : Nat, row : Row) {
    row.state := #Executed;
    ignore note(state, row, now, "proposal_executed", []);
  };

  public func isUpgrade(row : Row) : Bool = switch (row.args.kind) { case (#Upgrade _) true; case _ false };

  /// Has the factory been let in?
  public func upgrading(state : State) : Bool = List.any<Row>(state.proposals, func row = row.state == #Installing and isUpgrade(row));

  // --- income ---

  /// The payer's tokens have come; the answer has not.
  public func prepay(state : State, now : Nat, payer : Principal, price : Nat, ledgerBlock : Nat) {
    Map.add(state.prepaid, Nat.compare, ledgerBlock, { payer; price; at = now });
  };

  /// Split a prepaid price: the treasury's part rounded down, the rest among the holders in the order of their principals. Sums are exact.
  /// Null: the payer has been given the price back meanwhile, so there is nothing to split, and nothing was sold.
  public func earn(state : State, now : Nat, payer : Principal, price : Nat, ledgerBlock : Nat, request : Blob, answer : Blob, manifest : Blob) : ?([T.Part], Nat) {
    if (price > 0) {
      if (Map.get(state.prepaid, Nat.compare, ledgerBlock) == null) return null;
      Map.remove(state.prepaid, Nat.compare, ledgerBlock);
    };
    let treasury = price * state.parameters.treasury_bps / 10_000;
    let owners = holders(state);
    let amounts = Rounding.split(price - treasury : Nat, Array.map<T.Holder, Nat>(owners, func h = h.shares));
    let parts = Array.mapEntries<T.Holder, T.Part>(owners, func(h, i) = { owner = h.owner; amount_e8s = amounts[i] });
    for (p in parts.vals()) credit(state, p.owner, p.amount_e8s);
    state.treasury += treasury;
    state.revenue += price;
    state.paidCalls += 1;
    let block = Log.append(
      state.log,
      now,
      "inference_paid",
      [
        ("payer", ?V.principal(payer)),
        ("price_e8s", ?#Nat price),
        ("treasury_e8s", ?#Nat treasury),
        ("parts", ?Blocks.parts(parts)),
        ("ledger_block", ?#Nat ledgerBlock),
        ("request_hash", ?#Blob request),
        ("answer_hash", ?#Blob answer),
        ("manifest_hash", ?#Blob manifest),
      ],
    );
    ?(parts, block);
  };

  /// What was prepaid becomes claimable by who paid it. Once only.
  public func giveBack(state : State, now : Nat, ledgerBlock : Nat, reason : Text) {
    let ?{ payer; price } = Map.get(state.prepaid, Nat.compare, ledgerBlock) else return;
    Map.remove(state.prepaid, Nat.compare, ledgerBlock);
    credit(state, payer, price);
    ignore Log.append(
      state.log,
      now,
      "inference_refunded",
      [("payer", ?V.principal(payer)), ("amount_e8s", ?#Nat price), ("ledger_block", ?#Nat ledgerBlock), ("reason", ?#Text(brief(reason)))],
    );
  };

  /// Prices whose answers were lost on the way.
  public func giveBackOlder(state : State, now : Nat, than : Nat) {
    for ((ledgerBlock, { at }) in Map.toArray(state.prepaid).vals()) {
      if (at + than < now) giveBack(state, now, ledgerBlock, "no answer came");
    };
  };

  func credit(state : State, owner : Principal, amount : Nat) {
    if (amount > 0) Map.add(state.credits, Principal.compare, owner, claimable(state, owner) + amount);
  };

  public func claimable(state : State, owner : Principal) : Nat = switch (Map.get(state.credits, Principal.compare, owner)) { case (?n) n; case null 0 };

  func order(state : State, now : Nat, to : Principal, gross : Nat, fee : Nat) : Payment.Order {
    state.ordered += 1;
    { id = state.ordered; to; gross_e8s = gross; fee_e8s = fee; created_at_ns = Nat64.fromNat(now) };
  };

  /// Write down what is to be sent to an owner, taken from the credit first: a second claim finds nothing.
  public func orderRevenue(state : State, now : Nat, owner : Principal, fee : Nat) : { #Ok : Payment.Order; #Err : Text } {
    let gross = claimable(state, owner);
    switch (Payment.tooSmall(gross, fee)) { case (?reason) return #Err reason; case null {} };
    let made = order(state, now, owner, gross, fee);
    Map.remove(state.credits, Principal.compare, owner);
    Map.add(state.orders, Principal.compare, owner, made);
    #Ok made;
  };

  public func revenueSent(state : State, now : Nat, order : Payment.Order, ledgerBlock : Nat) {
    Map.remove(state.orders, Principal.compare, order.to);
    ignore Log.append(
      state.log,
      now,
      "revenue_claimed",
      [("owner", ?V.principal(order.to)), ("amount_e8s", ?#Nat(order.gross_e8s)), ("ledger_block", ?#Nat ledgerBlock)],
    );
  };

  public func revenueNotSent(state : State, order : Payment.Order) {
    Map.remove(state.orders, Principal.compare, order.to);
    credit(state, order.to, order.gross_e8s);
  };

  /// The same out of the treasury.
  public func orderFromTreasury(state : State, now : Nat, row : Row, to : Principal, gross : Nat, fee : Nat) : { #Ok : Payment.Order; #Err : Text } {
    if (gross > state.treasury) return #Err("the treasury holds " # Nat.toText(state.treasury) # " e8s");
    switch (Payment.tooSmall(gross, fee)) { case (?reason) return #Err reason; case null {} };
    let made = order(state, now, to, gross, fee);
    state.treasury -= gross;
    row.order := ?made;
    #Ok made;
  };

  public func treasurySent(state : State, now : Nat, row : Row, order : Payment.Order, ledgerBlock : Nat) {
    row.order := null;
    ignore note(state, row, now, "treasury_paid", [("to", ?V.principal(order.to)), ("amount_e8s", ?#Nat(order.gross_e8s)), ("ledger_block", ?#Nat ledgerBlock)]);
    executed(state, now, row);
  };

  public func treasuryNotSent(state : State, now : Nat, row : Row, order : Payment.Order, reason : Text) {
    row.order := null;
    state.treasury += order.gross_e8s;
    failed(state, now, row, reason);
  };

  // --- shares ---

  public func transferShares(state : State, caller : Principal, now : Nat, to : Principal, amount : Nat) : { #Ok : Nat; #Err : T.CoopError } {
    if (amount == 0) return #Err(#Invalid("amount: at least 1"));
    if (Principal.isAnonymous(to) or to == caller) return #Err(#Invalid("to: another principal, not the anonymous one"));
    let own = shares(state, caller);
    if (own < amount) return #Err(#Invalid("you hold " # Nat.toText(own) # " shares"));
    if (shares(state, to) == 0 and own > amount and Map.size(state.holders) >= maxHolders) return #Err(#Invalid("to: there are 500 holders already; transfer to one of them, or all you hold"));
    if (own == amount) { Map.remove(state.holders, Principal.compare, caller) } else { Map.add(state.holders, Principal.compare, caller, own - amount : Nat) };
    Map.add(state.holders, Principal.compare, to, shares(state, to) + amount);
    #Ok(Log.append(state.log, now, "shares_transferred", [("from", ?V.principal(caller)), ("to", ?V.principal(to)), ("amount", ?#Nat amount)]));
  };
};
