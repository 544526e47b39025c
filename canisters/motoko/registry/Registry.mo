/// Who owns which data, and what it may be used for. Default: nothing.
///
/// Plain functions over a state; the actor in `main.mo` supplies caller and time.
import Array "mo:core/Array";
import Blob "mo:core/Blob";
import List "mo:core/List";
import Map "mo:core/Map";
import Nat "mo:core/Nat";
import Nat64 "mo:core/Nat64";
import Principal "mo:core/Principal";
import Text "mo:core/Text";
import Log "../lib/Log";
import Page "../lib/Page";
import T "Types";
import V "../lib/Value";

module {
  type Row = {
    id : Nat;
    owner : Principal;
    title : Text;
    registered_at_ns : Nat64;
    block : Nat;
    versions : List.List<T.Version>;
    var state : T.DatasetState;
    var policy : ?T.Policy;
    var uses : Nat;
  };

  public type State = {
    rows : List.List<Row>;
    keys : Map.Map<Blob, Nat>; // owner and key -> dataset: the same registration twice is one
    taken : Map.Map<Nat, [T.TakeUse]>; // job -> the uses it took
    log : Log.Log;
  };

  public func empty() : State = {
    rows = List.empty<Row>();
    keys = Map.empty<Blob, Nat>();
    taken = Map.empty<Nat, [T.TakeUse]>();
    log = Log.empty();
  };

  let maxTitle = 200;
  let maxList = 100;
  let maxPurpose = 60;
  let maxPrice = 1_000_000_000_000_000_000; // 10^10 tokens
  let maxVersions = 1_000;
  let maxColumn = 200;
  let maxCount = 1_000_000_000_000; // of uses, of millionths of epsilon: a number nobody means seriously is refused, not stored

  // --- changes ---

  public func register(state : State, caller : Principal, now : Nat, args : T.RegisterArgs) : T.BlockResult {
    if (args.key.size() < 16 or args.key.size() > 32) return #Err(#Invalid("key: 16 to 32 random bytes, so that a repeated call registers once"));
    if (args.title.size() == 0 or args.title.size() > maxTitle) return #Err(#Invalid("title: 1 to 200 characters"));
    switch (wrongVersion(args.version)) { case (?reason) return #Err(#Invalid reason); case null {} };
    let unique = V.owned(caller, args.key);
    switch (Map.get(state.keys, Blob.compare, unique)) {
      case (?id) {
        let row = List.at(state.rows, id - 1 : Nat);
        return #Ok({ dataset_id = id; version = 1; block = row.block });
      };
      case null {};
    };
    let id = List.size(state.rows) + 1;
    let block = Log.append(
      state.log,
      now,
      "dataset_registered",
      [
        ("dataset_id", ?#Nat id),
        ("owner", ?V.principal(caller)),
        ("title", ?#Text(args.title)),
        ("key", ?#Blob(args.key)),
        ("version", ?#Nat 1),
        ("args", ?versionValue(args.version)),
      ],
    );
    let at = Nat64.fromNat(now);
    let versions = List.empty<T.Version>();
    List.add(versions, { version = 1; args = args.version; registered_at_ns = at; block });
    List.add(
      state.rows,
      { id; owner = caller; title = args.title; registered_at_ns = at; block; versions; var state = #Active; var policy = null; var uses = 0 } : Row,
    );
    Map.add(state.keys, Blob.compare, unique, id);
    #Ok({ dataset_id = id; version = 1; block });
  };

  public func addVersion(state : State, caller : Principal, now : Nat, id : Nat, args : T.VersionArgs) : T.BlockResult {
    switch (owned(state, caller, id)) {
      case (#Err e) #Err e;
      case (#Ok row) {
        if (row.state == #Withdrawn) return #Err(#Withdrawn);
        switch (wrongVersion(args)) { case (?reason) return #Err(#Invalid reason); case null {} };
        let version = List.size(row.versions) + 1;
        if (version > maxVersions) return #Err(#Invalid("a dataset has at most 1000 versions: register a new dataset"));
        let block = Log.append(
          state.log,
          now,
          "dataset_versioned",
          [("dataset_id", ?#Nat id), ("version", ?#Nat version), ("args", ?versionValue(args))],
        );
        List.add(row.versions, { version; args; registered_at_ns = Nat64.fromNat(now); block });
        #Ok({ dataset_id = id; version; block });
      };
    };
  };

  public func setPolicy(state : State, caller : Principal, now : Nat, id : Nat, expected : Nat, terms : T.PolicyTerms) : T.BlockResult {
    switch (owned(state, caller, id)) {
      case (#Err e) #Err e;
      case (#Ok row) {
        if (row.state == #Withdrawn) return #Err(#Withdrawn);
        let current = policyVersion(row);
        if (current != expected) return #Err(#Stale({ current_version = current }));
        switch (wrongTerms(terms, now)) { case (?reason) return #Err(#Invalid reason); case null {} };
        let version = current + 1;
        let block = Log.append(
          state.log,
          now,
          "policy_set",
          [("dataset_id", ?#Nat id), ("version", ?#Nat version), ("terms", ?termsValue(terms))],
        );
        row.policy := ?{ version; terms; set_at_ns = Nat64.fromNat(now); block };
        #Ok({ dataset_id = id; version; block });
      };
    };
  };

  public func setState(state : State, caller : Principal, now : Nat, id : Nat, to : T.DatasetState) : T.BlockResult {
    switch (owned(state, caller, id)) {
      case (#Err e) #Err e;
      case (#Ok row) {
        if (row.state == to) return #Err(#Invalid(if (to == #Active) "the dataset is not withdrawn" else "the dataset is withdrawn already"));
        let btype = if (to == #Active) "dataset_restored" else "dataset_withdrawn";
        let block = Log.append(state.log, now, btype, [("dataset_id", ?#Nat id)]);
        row.state := to;
        #Ok({ dataset_id = id; version = List.size(row.versions); block });
      };
    };
  };

  /// Count a use of each dataset for a job, or of none. The same job twice counts once, but the consent must still stand:
  /// a job is claimed anew, by another worker, when the first one's lease has lapsed.
  public func take(state : State, now : Nat, jobId : Nat, uses : [T.TakeUse]) : T.TakeResult {
    let before = Map.get(state.taken, Nat.compare, jobId);
    if (before != null and before != ?uses) return #Err({ dataset_id = 0; reason = "this job has taken other datasets before" });
    for (use in uses.vals()) {
      switch (unusable(state, now, use, before == null)) {
        case (?reason) return #Err({ dataset_id = use.dataset_id; reason });
        case null {};
      };
    };
    if (before != null) return #Ok;
    for (use in uses.vals()) {
      let row = List.at(state.rows, use.dataset_id - 1 : Nat);
      row.uses += 1;
    };
    Map.add(state.taken, Nat.compare, jobId, uses);
    ignore Log.append(
      state.log,
      now,
      "uses_taken",
      [
        ("job_id", ?#Nat jobId),
        (
          "uses",
          ?V.list<T.TakeUse>(
            uses,
            func u = #Map([("dataset_id", #Nat(u.dataset_id)), ("version", #Nat(u.version)), ("policy_version", #Nat(u.policy_version))]),
          ),
        ),
      ],
    );
    #Ok;
  };

  /// Why a dataset that was approved under a policy cannot be used now; null: it can. `anew`: this use is not counted yet.
  func unusable(state : State, now : Nat, use : T.TakeUse, anew : Bool) : ?Text {
    let ?row = find(state, use.dataset_id) else return ?"there is no such dataset";
    if (row.state == #Withdrawn) return ?"its owner has withdrawn it";
    let ?policy = row.policy else return ?"it has no policy, so nothing is allowed";
    if (policy.version != use.policy_version) {
      return ?("it was approved under policy version " # Nat.toText(use.policy_version) # ", which its owner has replaced by version " # Nat.toText(policy.version));
    };
    if (use.version == 0 or use.version > List.size(row.versions)) return ?"there is no such version";
    switch (policy.terms.expires_at_ns) {
      case (?at) if (Nat64.toNat(at) <= now) return ?"its policy has expired";
      case null {};
    };
    switch (policy.terms.max_uses) {
      case (?most) if (anew and row.uses >= most) return ?"its policy allows no further use";
      case null {};
    };
    null;
  };

  // --- questions ---

  /// What the policy says to a request; null: there is no such dataset or version.
  public func decide(state : State, now : Nat, request : T.UseRequest) : ?T.Verdict {
    let ?row = find(state, request.dataset_id) else return null;
    if (request.version == 0 or request.version > List.size(row.versions)) return null;
    let ?policy = row.policy else return ?{
      dataset_id = row.id;
      owner = row.owner;
      policy_version = 0;
      price_e8s = 0;
      workers = [];
      decision = #Deny;
      reason = "its owner has set no policy, so nothing is allowed";
    };
    let terms = policy.terms;
    let refusal = misfit(row, terms, now, request);
    ?{
      dataset_id = row.id;
      owner = row.owner;
      policy_version = policy.version;
      price_e8s = terms.price_e8s;
      workers = terms.workers;
      decision = switch refusal { case (?_) #Deny; case null terms.decision };
      reason = switch (refusal, terms.decision) {
        case (?reason, _) reason;
        case (null, #AutoApprove) "the request fits the policy, which approves by itself";
        case (null, #Ask) "the request fits the policy; its owner decides";
        case (null, #Deny) "the policy denies every request";
      };
    };
  };

  func misfit(row : Row, terms : T.PolicyTerms, now : Nat, request : T.UseRequest) : ?Text {
    if (row.state == #Withdrawn) return ?"its owner has withdrawn it";
    switch (terms.expires_at_ns) {
      case (?at) if (Nat64.toNat(at) <= now) return ?"its policy has expired";
      case null {};
    };
    switch (terms.max_uses) {
      case (?most) if (row.uses >= most) return ?"its policy allows no further use";
      case null {};
    };
    switch (terms.audience) {
      case (#Principals ps) if (not Array.any<Principal>(ps, func p = p == request.builder)) return ?"its policy names other builders";
      case (#Anyone) {};
    };
    switch (terms.purposes) {
      case (#Listed ts) if (not Array.any<Text>(ts, func t = t == request.purpose)) return ?("its policy does not allow the purpose '" # request.purpose # "'");
      case (#Any) {};
    };
    switch (terms.code) {
      case (#Listed hs) if (not Array.any<Blob>(hs, func h = h == request.code_hash)) return ?"its policy does not allow this code";
      case (#Any) {};
    };
    switch (terms.compute, request.compute) {
      case (#Central, #Central or #Either) {};
      case (#Federated, #Federated) {};
      case (#Either, _) {};
      case (#Central, #Federated) return ?"its policy allows central training only";
      case (#Federated, _) return ?"its policy allows federated training only";
    };
    switch (terms.max_epsilon_micros, request.epsilon_micros) {
      case (?most, ?asked) if (asked > most) return ?"its policy asks for stronger privacy (a smaller epsilon)";
      case (?_, null) return ?"its policy asks for differential privacy, and the job promises none";
      case (null, _) {};
    };
    null;
  };

  public func get(state : State, id : Nat) : ?T.Dataset {
    switch (find(state, id)) { case (?row) ?shown(row); case null null };
  };

  public func list(state : State, start : Nat, length : Nat) : { total : Nat; datasets : [T.Dataset] } {
    let total = List.size(state.rows);
    let end = Nat.min(total, start + Nat.min(length, maxList));
    let datasets = if (start >= end) [] else Page.fitting<T.Dataset>(
      Array.map<Row, T.Dataset>(List.sliceToArray(state.rows, start, end), shown),
      func d = (to_candid (d)).size(),
    );
    { total; datasets };
  };

  // --- within ---

  func find(state : State, id : Nat) : ?Row = if (id == 0) null else List.get(state.rows, id - 1 : Nat);

  func owned(state : State, caller : Principal, id : Nat) : { #Ok : Row; #Err : T.RegistryError } {
    switch (find(state, id)) {
      case null #Err(#NotFound("dataset " # Nat.toText(id)));
      case (?row) if (row.owner == caller) #Ok row else #Err(#NotOwner({ owner = row.owner }));
    };
  };

  func policyVersion(row : Row) : Nat = switch (row.policy) { case (?p) p.version; case null 0 };

  func shown(row : Row) : T.Dataset = {
    id = row.id;
    owner = row.owner;
    title = row.title;
    state = row.state;
    versions = List.toArray(row.versions);
    policy = row.policy;
    uses = row.uses;
    registered_at_ns = row.registered_at_ns;
    block = row.block;
  };

  func wrongVersion(args : T.VersionArgs) : ?Text {
    let hashes = [
      ("ciphertext_root", args.ciphertext_root),
      ("plaintext_commitment", args.plaintext_commitment),
      ("manifest_hash", args.manifest_hash),
      ("schema_hash", args.schema_hash),
      ("card_hash", args.card_hash),
      ("profile_hash", args.profile_hash),
      ("mock_hash", args.mock_hash),
    ];
    for ((name, hash) in hashes.vals()) { if (hash.size() != 32) return ?(name # ": a SHA-256 has 32 bytes") };
    if (args.row_count == 0 or args.row_count > 10_000_000_000) return ?"row_count: 1 to 10^10";
    if (args.size_bytes == 0 or args.size_bytes > 1_000_000_000_000_000) return ?"size_bytes: 1 to 10^15";
    null;
  };

  func wrongTerms(terms : T.PolicyTerms, now : Nat) : ?Text {
    if (terms.price_e8s > maxPrice) return ?"price_e8s: at most 10^18";
    if (terms.workers.size() > maxList) return ?"workers: at most 100";
    if (Array.any<Principal>(terms.workers, Principal.isAnonymous)) return ?"workers: the anonymous principal cannot be one";
    if (terms.decision != #Deny and terms.workers.size() == 0) return ?"workers: name at least one worker that may be given the key, or deny";
    switch (terms.audience) {
      case (#Principals ps) if (ps.size() == 0 or ps.size() > maxList) return ?"audience: 1 to 100 principals";
      case (#Anyone) {};
    };
    switch (terms.purposes) {
      case (#Listed ts) {
        if (ts.size() == 0 or ts.size() > maxList) return ?"purposes: 1 to 100";
        if (Array.any<Text>(ts, func t = t.size() == 0 or t.size() > maxPurpose)) return ?"purposes: each 1 to 60 characters";
      };
      case (#Any) {};
    };
    switch (terms.code) {
      case (#Listed hs) {
        if (hs.size() == 0 or hs.size() > maxList) return ?"code: 1 to 100 hashes";
        if (Array.any<Blob>(hs, func h = h.size() != 32)) return ?"code: each a SHA-256 of 32 bytes";
      };
      case (#Any) {};
    };
    switch (terms.columns) {
      case (?cs) {
        if (cs.size() == 0 or cs.size() > 1_000) return ?"columns: 1 to 1000, or none given for all";
        if (Array.any<Text>(cs, func c = c.size() == 0 or c.size() > maxColumn)) return ?"columns: each 1 to 200 characters";
      };
      case null {};
    };
    switch (terms.max_uses) {
      case (?n) if (n == 0 or n > maxCount) return ?"max_uses: 1 to 10^12, or none given for no limit";
      case null {};
    };
    switch (terms.max_epsilon_micros) {
      case (?n) if (n > maxCount) return ?"max_epsilon_micros: at most 10^12, or none given for no limit";
      case null {};
    };
    switch (terms.expires_at_ns) {
      case (?at) if (Nat64.toNat(at) <= now) return ?"expires_at_ns: in the future";
      case null {};
    };
    null;
  };

  // --- as the log has them ---

  func versionValue(args : T.VersionArgs) : V.Value = #Map([
    ("ciphertext_root", #Blob(args.ciphertext_root)),
    ("plaintext_commitment", #Blob(args.plaintext_commitment)),
    ("manifest_hash", #Blob(args.manifest_hash)),
    ("schema_hash", #Blob(args.schema_hash)),
    ("card_hash", #Blob(args.card_hash)),
    ("profile_hash", #Blob(args.profile_hash)),
    ("mock_hash", #Blob(args.mock_hash)),
    ("row_count", #Nat(args.row_count)),
    ("size_bytes", #Nat(args.size_bytes)),
  ]);

  func termsValue(terms : T.PolicyTerms) : V.Value = V.record([
    ("audience", ?(switch (terms.audience) { case (#Anyone) #Text "Anyone"; case (#Principals ps) #Map([("Principals", V.principals(ps))]) })),
    ("purposes", ?(switch (terms.purposes) { case (#Any) #Text "Any"; case (#Listed ts) #Map([("Listed", V.texts(ts))]) })),
    ("code", ?(switch (terms.code) { case (#Any) #Text "Any"; case (#Listed hs) #Map([("Listed", V.blobs(hs))]) })),
    ("compute", ?#Text(switch (terms.compute) { case (#Central) "Central"; case (#Federated) "Federated"; case (#Either) "Either" })),
    ("columns", V.opt<[Text]>(terms.columns, V.texts)),
    ("price_e8s", ?#Nat(terms.price_e8s)),
    ("max_uses", V.opt<Nat>(terms.max_uses, func n = #Nat n)),
    ("expires_at_ns", V.opt<Nat64>(terms.expires_at_ns, V.nat64)),
    ("max_epsilon_micros", V.opt<Nat>(terms.max_epsilon_micros, func n = #Nat n)),
    ("decision", ?#Text(switch (terms.decision) { case (#AutoApprove) "AutoApprove"; case (#Ask) "Ask"; case (#Deny) "Deny" })),
    ("workers", ?V.principals(terms.workers)),
  ]);

  public let blockTypes : [Text] = ["dataset_registered", "dataset_versioned", "policy_set", "dataset_withdrawn", "dataset_restored", "uses_taken"];
};
