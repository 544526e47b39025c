/// Owners, votes, releases and income of one model.
///
/// Plain functions over a state, none of them waits; the actor in `main.mo` supplies caller, time and other canisters' answers.
import Array "mo:core/Array";
import Blob "mo:core/Blob";
import Float "mo:core/Float";
import Int "mo:core/Int";
import List "mo:core/List";
import Map "mo:core/Map";
import Nat "mo:core/Nat";
import Nat32 "mo:core/Nat32";
import Nat64 "mo:core/Nat64";
import Nat8 "mo:core/Nat8";
import Principal "mo:core/Principal";
import VarArray "mo:core/VarArray";
import Log "../lib/Log";
import Rounding "../lib/Rounding";
import Sha256 "../lib/Sha256";
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
    var wasm : [var ?Blob]; // staged chunks; given up when they cannot be needed any more
    var weights : [var ?Blob];
  };

  public type State = {
    proposals : List.List<Row>;
    holders : Map.Map<Principal, Nat>;
    credits : Map.Map<Principal, Nat>; // what each may claim, e8s
    log : Log.Log;
    var parameters : T.Parameters;
    var inference : ?Principal;
    var installed : Bool; // something has been installed in the inference canister
    var live : ?T.Live;
    var treasury : Nat;
    var revenue : Nat;
    var paidCalls : Nat;
  };

  let maxOpen = 20;
  let maxChunks = 200;
  public let maxChunkBytes = 1_048_576;

  public func found(init : T.Init, now : Nat) : State {
    let state : State = {
      proposals = List.empty<Row>();
      holders = Map.empty<Principal, Nat>();
      credits = Map.empty<Principal, Nat>();
      log = Log.empty();
      var parameters = init.parameters;
      var inference = null;
      var installed = false;
      var live = null;
      var treasury = 0;
      var revenue = 0;
      var paidCalls = 0;
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
        ("holders", ?holdersValue(init.holders)),
        ("parameters", ?parametersValue(init.parameters)),
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
    { total; proposals = if (start >= end) [] else Array.map<Row, T.Proposal>(List.sliceToArray(state.proposals, start, end), shown) };
  };

  // --- proposing and voting ---

  public func wrongProposal(state : State, caller : Principal, args : T.ProposalArgs) : ?T.CoopError {
    if (shares(state, caller) == 0) return ?#NoShares;
    if (args.title.size() == 0 or args.title.size() > 200) return ?#Invalid("title: 1 to 200 characters");
    if (args.summary.size() > 5_000) return ?#Invalid("summary: at most 5000 characters");
    let open = List.size(List.filter<Row>(state.proposals, func row = row.state == #Voting));
    if (open >= maxOpen) return ?#Closed("20 proposals are open already: wait until one is decided");
    switch (args.kind) {
      case (#Parameters p) switch (T.wrongParameters(p)) { case (?reason) ?#Invalid reason; case null null };
      case (#TreasuryTransfer({ amount_e8s; to })) if (amount_e8s == 0) ?#Invalid("amount_e8s: at least 1") else if (Principal.isAnonymous(to)) ?#Invalid("to: not the anonymous principal") else null;
      case (#Upgrade({ module_hash })) if (module_hash.size() != 32) ?#Invalid("module_hash: a SHA-256 has 32 bytes") else null;
      case (#Release m) wrongManifest(m);
    };
  };

  func wrongManifest(m : T.ReleaseManifest) : ?T.CoopError {
    if (m.title.size() == 0 or m.title.size() > 200) return ?#Invalid("title: 1 to 200 characters");
    for (h in [m.wasm_sha256, m.onnx_sha256, m.transcript_hash, m.card_hash].vals()) {
      if (h.size() != 32) return ?#Invalid("manifest: a SHA-256 has 32 bytes");
    };
    if (m.wasm_chunks.size() == 0 or m.wasm_chunks.size() > maxChunks) return ?#Invalid("wasm_chunks: 1 to 200");
    if (m.weight_chunks.size() > maxChunks) return ?#Invalid("weight_chunks: at most 200");
    for (c in Array.concat<T.ChunkInfo>(m.wasm_chunks, m.weight_chunks).vals()) {
      if (c.sha256.size() != 32 or c.size_bytes == 0 or c.size_bytes > maxChunkBytes) return ?#Invalid("chunks: each 1 byte to 1 MiB with a SHA-256");
    };
    if (m.equality.size() == 0 or m.equality.size() > 16) return ?#Invalid("equality: 1 to 16 test vectors, so that what runs can be compared with what was trained");
    if (m.tolerance_e9 > 10_000_000) return ?#Invalid("tolerance_e9: at most 10000000, that is 0.01");
    null;
  };

  public func submit(state : State, caller : Principal, now : Nat, args : T.ProposalArgs) : Row {
    let critical = switch (args.kind) { case (#Upgrade _ or #TreasuryTransfer _) true; case _ false };
    let manifest = switch (args.kind) { case (#Release m) ?V.hash(manifestValue(m)); case _ null };
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
        ("kind", ?kindValue(args.kind)),
        ("manifest_hash", V.opt<Blob>(manifest, func h = #Blob h)),
        ("ballots", ?V.list<T.Ballot>(ballots, func b = #Map([("owner", V.principal(b.owner)), ("shares", #Nat(b.shares))]))),
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
    let before = row.yes > row.no;
    row.ballots := Array.map<T.Ballot, T.Ballot>(row.ballots, func b = if (b.owner == caller) ({ b with vote = ?yes; at_ns = Nat64.fromNat(now) }) else b);
    if yes { row.yes += ballot.shares } else { row.no += ballot.shares };
    ignore note(state, row, now, "vote_cast", [("owner", ?V.principal(caller)), ("yes", ?V.bool(yes)), ("shares", ?#Nat(ballot.shares))]);
    // Wait for quiet: who turns the majority late gives the others time to answer.
    let quiet = now + Nat64.toNat(state.parameters.quiet_period_ns);
    if ((row.yes > row.no) != before and row.yes + row.no != ballot.shares and quiet > row.deadline) {
      row.deadline := quiet;
      ignore note(state, row, now, "deadline_extended", [("deadline_ns", ?#Nat quiet)]);
    };
    decide(state, row, now);
    #Ok(shown(row));
  };

  /// Close a vote that can be closed: at its deadline, or as soon as no further vote could change it.
  public func decide(state : State, row : Row, now : Nat) {
    if (row.state != #Voting) return;
    let cast = row.yes + row.no;
    let over = row.deadline <= now;
    let won = if (row.critical) row.yes * 100 >= 20 * row.total and cast > 0 and row.yes * 100 >= 67 * cast else row.yes * 100 >= 3 * row.total and row.yes > row.no;
    let sure = if (row.critical) row.yes * 100 >= 67 * row.total else row.yes * 2 > row.total;
    let lost = if (row.critical) row.no * 100 > 33 * row.total else row.no * 2 >= row.total;
    if (sure or (over and won)) {
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

  // --- releases ---

  public func stage(state : State, now : Nat, row : Row, wasm : Bool, index : Nat, data : Blob) : { #Ok : { complete : Bool }; #Err : T.CoopError } {
    let #Release(m) = row.args.kind else return #Err(#Invalid("this proposal is not a release"));
    switch (row.state) { case (#Voting or #Adopted or #Installing) {}; case _ return #Err(#Closed("this proposal takes no chunks any more")) };
    let named = if wasm m.wasm_chunks else m.weight_chunks;
    if (index >= named.size()) return #Err(#UnknownChunk);
    if (data.size() != named[index].size_bytes) return #Err(#Invalid("the chunk has another size than the manifest says"));
    let got = Sha256.blob(data);
    if (got != named[index].sha256) return #Err(#WrongHash({ expected = named[index].sha256; got }));
    let was = complete(row);
    if wasm { row.wasm[index] := ?data } else { row.weights[index] := ?data };
    if (not was and complete(row)) ignore note(state, row, now, "release_staged", []);
    #Ok({ complete = complete(row) });
  };

  public func complete(row : Row) : Bool {
    for (c in row.wasm.vals()) { if (c == null) return false };
    for (c in row.weights.vals()) { if (c == null) return false };
    row.wasm.size() > 0;
  };

  func dropChunks(row : Row) {
    row.wasm := VarArray.repeat<?Blob>(null, row.wasm.size());
    row.weights := VarArray.repeat<?Blob>(null, row.weights.size());
  };

  public func installing(state : State, now : Nat, row : Row) {
    if (row.state == #Adopted) {
      row.state := #Installing;
      ignore note(state, row, now, "release_installing", []);
    };
  };

  public func wentLive(state : State, now : Nat, row : Row, maxError : Nat) {
    let #Release(m) = row.args.kind else return;
    let ?manifest_hash = row.manifest_hash else return;
    let block = note(state, row, now, "release_live", [("manifest_hash", ?#Blob manifest_hash), ("wasm_sha256", ?#Blob(m.wasm_sha256)), ("max_abs_error_e9", ?#Nat maxError)]);
    switch (state.live) {
      case (?former) if (former.proposal_id != row.id) {
        let ?old = find(state, former.proposal_id) else return;
        old.state := #Superseded;
        dropChunks(old);
        ignore note(state, old, now, "release_superseded", [("by", ?#Nat(row.id))]);
      };
      case null {};
    };
    row.state := #Live;
    state.live := ?{
      proposal_id = row.id;
      manifest_hash;
      wasm_sha256 = m.wasm_sha256;
      title = m.title;
      max_abs_error_e9 = maxError;
      live_at_ns = Nat64.fromNat(now);
      block;
    };
  };

  public func failed(state : State, now : Nat, row : Row, reason : Text) {
    row.state := #Failed reason;
    dropChunks(row);
    ignore note(state, row, now, "proposal_failed", [("reason", ?#Text reason)]);
  };

  public func executed(state : State, now : Nat, row : Row) {
    row.state := #Executed;
    ignore note(state, row, now, "proposal_executed", []);
  };

  /// Largest |answer - expected| over all outputs, in 10^-9; null: they cannot be compared.
  public func difference(expected : [T.TensorBlob], got : [T.TensorBlob]) : ?Nat {
    if (expected.size() != got.size()) return null;
    var worst : Float = 0;
    for (e in expected.vals()) {
      let ?g = Array.find<T.TensorBlob>(got, func x = x.name == e.name) else return null;
      if (g.shape != e.shape or g.dtype != e.dtype or g.data.size() != e.data.size()) return null;
      if (e.dtype != "float32") { if (e.data != g.data) return null } else {
        let a = Blob.toArray(e.data);
        let b = Blob.toArray(g.data);
        var i = 0;
        while (i + 4 <= a.size()) {
          let d = Float.abs(float32(a, i) - float32(b, i));
          if (Float.isNaN(d)) return null;
          if (d > worst) worst := d;
          i += 4;
        };
      };
    };
    if (worst > 1.0e6) return null;
    ?Int.abs(Float.toInt(Float.ceil(worst * 1.0e9)));
  };

  /// IEEE 754 binary32, little-endian.
  func float32(bytes : [Nat8], at : Nat) : Float {
    func b(i : Nat) : Nat = Nat8.toNat(bytes[at + i]);
    let bits = b(0) + b(1) * 256 + b(2) * 65_536 + b(3) * 16_777_216;
    let negative = bits >= 2_147_483_648;
    let exponent = bits / 8_388_608 % 256;
    let fraction = Float.fromInt(bits % 8_388_608);
    let size = if (exponent == 255) { 0.0 / 0.0 } else if (exponent == 0) { fraction * 2.0 ** (-149.0) } else {
      (1.0 + fraction / 8_388_608.0) * 2.0 ** Float.fromInt(exponent - 127 : Int);
    };
    if negative { -size } else { size };
  };

  // --- income ---

  public func earn(state : State, now : Nat, payer : Principal, price : Nat, ledgerBlock : Nat, request : Blob, answer : Blob, manifest : Blob) : ([T.Part], Nat) {
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
        ("parts", ?V.list<T.Part>(parts, func p = #Map([("owner", V.principal(p.owner)), ("amount_e8s", #Nat(p.amount_e8s))]))),
        ("ledger_block", ?#Nat ledgerBlock),
        ("request_hash", ?#Blob request),
        ("answer_hash", ?#Blob answer),
        ("manifest_hash", ?#Blob manifest),
      ],
    );
    (parts, block);
  };

  public func giveBack(state : State, now : Nat, payer : Principal, amount : Nat, ledgerBlock : Nat, reason : Text) {
    credit(state, payer, amount);
    ignore Log.append(
      state.log,
      now,
      "inference_refunded",
      [("payer", ?V.principal(payer)), ("amount_e8s", ?#Nat amount), ("ledger_block", ?#Nat ledgerBlock), ("reason", ?#Text reason)],
    );
  };

  func credit(state : State, owner : Principal, amount : Nat) {
    if (amount > 0) Map.add(state.credits, Principal.compare, owner, claimable(state, owner) + amount);
  };

  public func claimable(state : State, owner : Principal) : Nat = switch (Map.get(state.credits, Principal.compare, owner)) { case (?n) n; case null 0 };

  public func takeCredit(state : State, owner : Principal) { Map.remove(state.credits, Principal.compare, owner) };
  public func returnCredit(state : State, owner : Principal, amount : Nat) { credit(state, owner, amount) };

  // --- shares ---

  public func transferShares(state : State, caller : Principal, now : Nat, to : Principal, amount : Nat) : { #Ok : Nat; #Err : T.CoopError } {
    if (amount == 0) return #Err(#Invalid("amount: at least 1"));
    if (Principal.isAnonymous(to) or to == caller) return #Err(#Invalid("to: another principal, not the anonymous one"));
    let own = shares(state, caller);
    if (own < amount) return #Err(#Invalid("you hold " # Nat.toText(own) # " shares"));
    if (own == amount) { Map.remove(state.holders, Principal.compare, caller) } else { Map.add(state.holders, Principal.compare, caller, own - amount : Nat) };
    Map.add(state.holders, Principal.compare, to, shares(state, to) + amount);
    #Ok(Log.append(state.log, now, "shares_transferred", [("from", ?V.principal(caller)), ("to", ?V.principal(to)), ("amount", ?#Nat amount)]));
  };

  // --- as the log has them ---

  public func holdersValue(hs : [T.Holder]) : V.Value = V.list<T.Holder>(hs, func h = #Map([("owner", V.principal(h.owner)), ("shares", #Nat(h.shares))]));

  public func parametersValue(p : T.Parameters) : V.Value = #Map([
    ("price_e8s", #Nat(p.price_e8s)),
    ("treasury_bps", #Nat(p.treasury_bps)),
    ("voting_period_ns", V.nat64(p.voting_period_ns)),
    ("quiet_period_ns", V.nat64(p.quiet_period_ns)),
  ]);

  public func tensorsValue(ts : [T.TensorBlob]) : V.Value = V.list<T.TensorBlob>(
    ts,
    func t = #Map([("name", #Text(t.name)), ("dtype", #Text(t.dtype)), ("shape", V.list<Nat64>(t.shape, V.nat64)), ("data", #Blob(t.data))]),
  );

  func chunksValue(cs : [T.ChunkInfo]) : V.Value = V.list<T.ChunkInfo>(cs, func c = #Map([("sha256", #Blob(c.sha256)), ("size_bytes", #Nat(c.size_bytes))]));

  public func manifestValue(m : T.ReleaseManifest) : V.Value = #Map([
    ("job_id", #Nat(m.job_id)),
    ("title", #Text(m.title)),
    ("wasm_sha256", #Blob(m.wasm_sha256)),
    ("wasm_chunks", chunksValue(m.wasm_chunks)),
    ("weight_chunks", chunksValue(m.weight_chunks)),
    ("onnx_sha256", #Blob(m.onnx_sha256)),
    ("transcript_hash", #Blob(m.transcript_hash)),
    ("card_hash", #Blob(m.card_hash)),
    ("metrics", V.list<T.Metric>(m.metrics, func x = #Map([("name", #Text(x.name)), ("value_ppm", #Int(x.value_ppm))]))),
    ("equality", V.list<T.EqualityVector>(m.equality, func e = #Map([("inputs", tensorsValue(e.inputs)), ("outputs", tensorsValue(e.outputs))]))),
    ("tolerance_e9", #Nat(m.tolerance_e9)),
    ("estimated_instructions", V.nat64(m.estimated_instructions)),
  ]);

  func kindValue(kind : T.ProposalKind) : V.Value = switch kind {
    case (#Release m) #Map([("Release", manifestValue(m))]);
    case (#Parameters p) #Map([("Parameters", parametersValue(p))]);
    case (#TreasuryTransfer({ to; amount_e8s })) #Map([("TreasuryTransfer", #Map([("to", V.principal(to)), ("amount_e8s", #Nat amount_e8s)]))]);
    case (#Upgrade({ module_hash })) #Map([("Upgrade", #Map([("module_hash", #Blob module_hash)]))]);
  };

  public let blockTypes : [Text] = [
    "founded", "inference_created", "proposal_submitted", "vote_cast", "deadline_extended", "proposal_adopted", "proposal_rejected", "release_staged",
    "release_installing", "release_live", "release_superseded", "proposal_failed", "proposal_executed", "parameters_changed", "inference_paid",
    "inference_refunded", "revenue_claimed", "treasury_paid", "shares_transferred",
  ];
};
