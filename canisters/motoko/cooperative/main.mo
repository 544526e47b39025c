/// A cooperative's door, and the only place that waits for others: the sole controller of its model's inference canister.
///
/// What it decides stands in `Cooperative.mo`. An adopted release installs itself; nobody has to be trusted to press the button.
import Array "mo:core/Array";
import Error "mo:core/Error";
import Int "mo:core/Int";
import List "mo:core/List";
import Nat "mo:core/Nat";
import Nat32 "mo:core/Nat32";
import Principal "mo:core/Principal";
import Text "mo:core/Text";
import Time "mo:core/Time";
import Timer "mo:core/Timer";
import Cooperative "Cooperative";
import JT "../jobs/Types";
import LT "../ledger/Types";
import Log "../lib/Log";
import T "Types";
import V "../lib/Value";

persistent actor class CooperativeCanister(init : T.Init) = self {
  type UploadResult = { #Ok : {}; #Err : { #UnknownChunk : Nat32; #WrongSize : { expected : Nat32; got : Nat32 }; #WrongHash : { index : Nat32; expected : Blob }; #AlreadySealed } };
  type Inference = actor {
    infer_blob : shared { inputs : [T.TensorBlob] } -> async { #Ok : { outputs : [T.TensorBlob]; instructions : Nat64 }; #Err : Text };
    weights_upload : shared { index : Nat32; data : Blob } -> async UploadResult;
    seal : shared () -> async { #Ok : {}; #Err : {} };
  };
  type Management = actor {
    create_canister : shared { settings : ?{ controllers : ?[Principal] }; sender_canister_version : ?Nat64 } -> async { canister_id : Principal };
    upload_chunk : shared { canister_id : Principal; chunk : Blob } -> async { hash : Blob };
    clear_chunk_store : shared { canister_id : Principal } -> async ();
    install_chunked_code : shared {
      mode : { #install; #reinstall; #upgrade : ?{ skip_pre_upgrade : ?Bool; wasm_memory_persistence : ?{ #keep; #replace } } };
      target_canister : Principal;
      store_canister : ?Principal;
      chunk_hashes_list : [{ hash : Blob }];
      wasm_module_hash : Blob;
      arg : Blob;
      sender_canister_version : ?Nat64;
    } -> async ();
    update_settings : shared { canister_id : Principal; settings : { controllers : ?[Principal] }; sender_canister_version : ?Nat64 } -> async ();
  };
  type Jobs = actor { job_get : shared query Nat -> async ?JT.Job };
  type Ledger = actor {
    icrc1_fee : shared query () -> async Nat;
    icrc1_transfer : shared LT.TransferArgs -> async LT.TransferResult;
    icrc2_transfer_from : shared LT.TransferFromArgs -> async LT.TransferFromResult;
  };
  type Factory = actor { cooperative_upgrade : shared () -> async { #Ok; #Err : Text } };

  let ic : Management = actor "aaaaa-aa";
  let inferenceCycles = 1_000_000_000_000;
  let busyNs = 300_000_000_000;

  let founding = init;
  let state = Cooperative.found(init, Int.abs(Time.now()));
  var creating : Bool = false;
  var executingSince : ?Nat = null; // one execution at a time; a hold older than any answer is stale

  func now() : Nat = Int.abs(Time.now());
  func me() : Principal = Principal.fromActor(self);
  func ledger() : Ledger = actor (Principal.toText(founding.ledger));
  func jobs() : Jobs = actor (Principal.toText(founding.jobs));

  let signIn : T.CoopError = #NotAllowed("sign in first: the anonymous principal owns nothing");

  // --- the inference canister ---

  /// Anybody, idempotent: makes the inference canister, with this cooperative as its only controller.
  public shared func found() : async { #Ok : Principal; #Err : T.CoopError } {
    switch (state.inference) { case (?p) return #Ok p; case null {} };
    if creating return #Err(#Busy);
    creating := true;
    try {
      let made = await (with cycles = inferenceCycles) ic.create_canister({ settings = ?{ controllers = ?[me()] }; sender_canister_version = null });
      // From here it must not fail: the canister exists.
      state.inference := ?made.canister_id;
      ignore Log.append(state.log, now(), "inference_created", [("canister", ?V.principal(made.canister_id))]);
      creating := false;
      #Ok(made.canister_id);
    } catch error {
      creating := false;
      #Err(#Refused("the inference canister could not be made: " # Error.message(error)));
    };
  };

  // --- proposals ---

  public shared ({ caller }) func proposal_submit(args : T.ProposalArgs) : async T.ProposalResult {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    switch (Cooperative.wrongProposal(state, caller, args)) { case (?e) return #Err e; case null {} };
    switch (args.kind) {
      case (#Release m) {
        let job = try { await jobs().job_get(m.job_id) } catch error return #Err(#Refused("the jobs canister did not answer: " # Error.message(error)));
        switch (wrongJob(m, job)) { case (?e) return #Err e; case null {} };
      };
      case _ {};
    };
    #Ok(Cooperative.shown(Cooperative.submit(state, caller, now(), args)));
  };

  /// A release must be what a settled job has on record.
  func wrongJob(m : T.ReleaseManifest, job : ?JT.Job) : ?T.CoopError {
    let ?j = job else return ?#NotFound("job " # Nat.toText(m.job_id));
    let ?result = j.result else return ?#Invalid("the job has no result");
    if (j.state != #Settled) return ?#Invalid("the job is not settled");
    let hash = V.hash(Cooperative.manifestValue(m));
    let recorded = Array.any<JT.Artifact>(result.artifacts, func a = a.sha256 == hash and Text.startsWith(a.name, #text "release"));
    if recorded null else ?#Invalid("manifest: the job's record does not have this release among its artifacts");
  };

  public shared ({ caller }) func proposal_vote(args : { proposal_id : Nat; yes : Bool }) : async T.ProposalResult {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    let ?row = Cooperative.find(state, args.proposal_id) else return #Err(#NotFound("proposal " # Nat.toText(args.proposal_id)));
    let result = Cooperative.vote(state, caller, now(), row, args.yes);
    executeSoon<system>();
    result;
  };

  public shared func chunk_upload(args : { proposal_id : Nat; part : { #Wasm; #Weights }; index : Nat32; data : Blob }) : async { #Ok : { complete : Bool }; #Err : T.CoopError } {
    let ?row = Cooperative.find(state, args.proposal_id) else return #Err(#NotFound("proposal " # Nat.toText(args.proposal_id)));
    let result = Cooperative.stage(state, now(), row, args.part == #Wasm, Nat32.toNat(args.index), args.data);
    executeSoon<system>();
    result;
  };

  public shared func proposal_execute(id : Nat) : async T.ProposalResult {
    let ?row = Cooperative.find(state, id) else return #Err(#NotFound("proposal " # Nat.toText(id)));
    Cooperative.decide(state, row, now());
    await executeDue();
    #Ok(Cooperative.shown(row));
  };

  // --- carrying out ---

  func due(row : Cooperative.Row) : Bool {
    switch (row.state) {
      case (#Adopted or #Installing) switch (row.args.kind) { case (#Release _) Cooperative.complete(row); case _ true };
      case _ false;
    };
  };

  func executeSoon<system>() {
    if (List.any<Cooperative.Row>(state.proposals, due)) ignore Timer.setTimer<system>(#seconds 0, executeDue);
  };

  func executeDue() : async () {
    switch (executingSince) { case (?since) if (now() < since + busyNs) return; case null {} };
    executingSince := ?now();
    try {
      for (row in List.values(state.proposals)) { if (due(row)) await carryOut(row) };
    } catch _ {};
    executingSince := null;
  };

  func carryOut(row : Cooperative.Row) : async () {
    switch (row.args.kind) {
      case (#Release m) await release(row, m);
      case (#Parameters p) {
        state.parameters := p;
        ignore Cooperative.note(state, row, now(), "parameters_changed", [("parameters", ?Cooperative.parametersValue(p))]);
        Cooperative.executed(state, now(), row);
      };
      case (#TreasuryTransfer({ to; amount_e8s })) await payFromTreasury(row, to, amount_e8s);
      case (#Upgrade _) await upgrade(row);
    };
  };

  func release(row : Cooperative.Row, m : T.ReleaseManifest) : async () {
    Cooperative.installing(state, now(), row);
    let reason = try { await install(row, m) } catch error ?("a call failed: " # Error.message(error));
    switch reason {
      case null {};
      case (?why) {
        Cooperative.failed(state, now(), row, why);
        await restoreFormer();
      };
    };
  };

  /// Null: live. Otherwise why not.
  func install(row : Cooperative.Row, m : T.ReleaseManifest) : async ?Text {
    let #Ok(inference) = await found() else return ?"the inference canister could not be made";
    await put(inference, row, m);
    let model : Inference = actor (Principal.toText(inference));
    var worst = 0;
    for (vector in m.equality.vals()) {
      switch (await model.infer_blob({ inputs = vector.inputs })) {
        case (#Err why) return ?("the equality test failed: " # why);
        case (#Ok({ outputs })) switch (Cooperative.difference(vector.outputs, outputs)) {
          case null return ?"the equality test failed: the answers cannot be compared with those of the trained network";
          case (?error) {
            if (error > m.tolerance_e9) return ?("the equality test failed: an answer differs by " # Nat.toText(error) # "e-9, and " # Nat.toText(m.tolerance_e9) # "e-9 are allowed");
            if (error > worst) worst := error;
          };
        };
      };
    };
    // From here it must not fail: the release is in place and tested.
    Cooperative.wentLive(state, now(), row, worst);
    null;
  };

  /// Module and weights into the inference canister, each part as the manifest names it.
  func put(inference : Principal, row : Cooperative.Row, m : T.ReleaseManifest) : async () {
    await ic.clear_chunk_store({ canister_id = inference });
    for (chunk in row.wasm.vals()) {
      let ?data = chunk else throw Error.reject("a chunk of the module is missing");
      ignore await ic.upload_chunk({ canister_id = inference; chunk = data });
    };
    let ?manifest_hash = row.manifest_hash else throw Error.reject("not a release");
    await ic.install_chunked_code({
      mode = if (state.installed) #reinstall else #install;
      target_canister = inference;
      store_canister = null;
      chunk_hashes_list = Array.map<T.ChunkInfo, { hash : Blob }>(m.wasm_chunks, func c = { hash = c.sha256 });
      wasm_module_hash = m.wasm_sha256;
      arg = to_candid ({ release_hash = manifest_hash });
      sender_canister_version = null;
    });
    state.installed := true;
    await ic.clear_chunk_store({ canister_id = inference });
    let model : Inference = actor (Principal.toText(inference));
    var index : Nat32 = 0;
    for (chunk in row.weights.vals()) {
      let ?data = chunk else throw Error.reject("a chunk of the weights is missing");
      switch (await model.weights_upload({ index; data })) {
        case (#Ok _) {};
        case (#Err e) throw Error.reject("the module refused a chunk of its weights: " # debug_show e);
      };
      index += 1;
    };
    switch (await model.seal()) { case (#Ok _) {}; case (#Err _) throw Error.reject("the module says that weights are missing") };
  };

  func restoreFormer() : async () {
    let (?live, ?inference) = (state.live, state.inference) else return;
    let ?row = Cooperative.find(state, live.proposal_id) else return;
    let #Release(m) = row.args.kind else return;
    try { await put(inference, row, m) } catch _ {};
  };

  func payFromTreasury(row : Cooperative.Row, to : Principal, amount : Nat) : async () {
    if (amount > state.treasury) return Cooperative.failed(state, now(), row, "the treasury holds " # Nat.toText(state.treasury) # " e8s");
    state.treasury -= amount; // taken first: a second execution must not pay twice
    let sent = try { await send(to, amount) } catch error #Err(Error.message(error));
    switch sent {
      case (#Ok block) {
        ignore Cooperative.note(state, row, now(), "treasury_paid", [("to", ?V.principal(to)), ("amount_e8s", ?#Nat amount), ("ledger_block", ?#Nat block)]);
        Cooperative.executed(state, now(), row);
      };
      case (#Err why) {
        state.treasury += amount;
        Cooperative.failed(state, now(), row, why);
      };
    };
  };

  /// The ledger's fee comes out of the amount.
  func send(to : Principal, amount : Nat) : async { #Ok : Nat; #Err : Text } {
    let fee = await ledger().icrc1_fee();
    if (amount <= fee) return #Err("the amount does not cover the ledger's fee of " # Nat.toText(fee) # " e8s");
    let sent = await ledger().icrc1_transfer({ from_subaccount = null; to = { owner = to; subaccount = null }; amount = amount - fee : Nat; fee = ?fee; memo = null; created_at_time = null });
    switch sent { case (#Ok block) #Ok block; case (#Err e) #Err("the ledger refused: " # debug_show e) };
  };

  /// Let the factory in; it installs its class and hands control back.
  func upgrade(row : Cooperative.Row) : async () {
    Cooperative.executed(state, now(), row);
    try {
      await ic.update_settings({ canister_id = me(); settings = { controllers = ?[me(), founding.factory] }; sender_canister_version = null });
      let factory : Factory = actor (Principal.toText(founding.factory));
      ignore await factory.cooperative_upgrade();
    } catch _ {
      await ic.update_settings({ canister_id = me(); settings = { controllers = ?[me()] }; sender_canister_version = null });
    };
  };

  // --- income ---

  public shared ({ caller }) func infer(args : { inputs : [T.TensorBlob]; max_price_e8s : Nat }) : async { #Ok : T.InferReceipt; #Err : T.CoopError } {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    let (?live, ?inference) = (state.live, state.inference) else return #Err(#NotLive);
    let price = state.parameters.price_e8s;
    if (price > args.max_price_e8s) return #Err(#PriceChanged({ price_e8s = price }));
    var ledgerBlock = 0;
    if (price > 0) {
      let drawn = try {
        await ledger().icrc2_transfer_from({
          spender_subaccount = null;
          from = { owner = caller; subaccount = null };
          to = { owner = me(); subaccount = null };
          amount = price;
          fee = null;
          memo = null;
          created_at_time = null;
        });
      } catch error return #Err(#Payment("the ledger did not answer: " # Error.message(error)));
      switch drawn {
        case (#Ok block) ledgerBlock := block;
        case (#Err(#InsufficientAllowance _)) return #Err(#Payment("approve the price and the ledger's fee for this cooperative first"));
        case (#Err(#InsufficientFunds({ balance }))) return #Err(#Payment("your balance is " # Nat.toText(balance) # " e8s"));
        case (#Err e) return #Err(#Payment("the ledger refused: " # debug_show e));
      };
    };
    // The payer's tokens are here: from now on they are either earned or given back.
    let model : Inference = actor (Principal.toText(inference));
    let answer = try { await model.infer_blob({ inputs = args.inputs }) } catch error #Err(Error.message(error));
    switch answer {
      case (#Ok({ outputs; instructions })) {
        let request = V.hash(Cooperative.tensorsValue(args.inputs));
        let reply = V.hash(Cooperative.tensorsValue(outputs));
        let (parts, block) = Cooperative.earn(state, now(), caller, price, ledgerBlock, request, reply, live.manifest_hash);
        #Ok({ outputs; instructions; price_e8s = price; parts; manifest_hash = live.manifest_hash; block; ledger_block = ledgerBlock });
      };
      case (#Err why) {
        if (price > 0) Cooperative.giveBack(state, now(), caller, price, ledgerBlock, why);
        #Err(#Inference(why));
      };
    };
  };

  public shared ({ caller }) func revenue_claim() : async { #Ok : { amount_e8s : Nat; ledger_block : Nat }; #Err : T.CoopError } {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    let amount = Cooperative.claimable(state, caller);
    if (amount == 0) return #Err(#NotFound("nothing is due to you here"));
    Cooperative.takeCredit(state, caller); // taken first: a second claim finds nothing
    let sent = try { await send(caller, amount) } catch error #Err(Error.message(error));
    switch sent {
      case (#Ok block) {
        ignore Log.append(state.log, now(), "revenue_claimed", [("owner", ?V.principal(caller)), ("amount_e8s", ?#Nat amount), ("ledger_block", ?#Nat block)]);
        #Ok({ amount_e8s = amount; ledger_block = block });
      };
      case (#Err why) {
        Cooperative.returnCredit(state, caller, amount);
        #Err(#Payment why);
      };
    };
  };

  // --- shares: ICRC-1, as far as ownership needs it ---

  public shared ({ caller }) func icrc1_transfer(args : { from_subaccount : ?Blob; to : T.Account; amount : Nat; fee : ?Nat; memo : ?Blob; created_at_time : ?Nat64 }) : async { #Ok : Nat; #Err : T.CoopError } {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    if (args.from_subaccount != null or args.to.subaccount != null) return #Err(#Invalid("shares are held by principals, without subaccounts"));
    Cooperative.transferShares(state, caller, now(), args.to.owner, args.amount);
  };
  public query func icrc1_total_supply() : async Nat { T.totalShares };
  public query func icrc1_balance_of(account : T.Account) : async Nat { if (account.subaccount == null) Cooperative.shares(state, account.owner) else 0 };

  // --- questions ---

  public query func info() : async T.Info {
    {
      name = founding.name;
      job_id = founding.job_id;
      jobs = founding.jobs;
      ledger = founding.ledger;
      factory = founding.factory;
      inference = state.inference;
      parameters = state.parameters;
      holders = Cooperative.holders(state);
      live = state.live;
      treasury_e8s = state.treasury;
      revenue_e8s = state.revenue;
      paid_calls = state.paidCalls;
      proposals = List.size(state.proposals);
    };
  };
  public query func proposal_get(id : Nat) : async ?T.Proposal { switch (Cooperative.find(state, id)) { case (?row) ?Cooperative.shown(row); case null null } };
  public query func proposals_list(args : { start : Nat; length : Nat }) : async { total : Nat; proposals : [T.Proposal] } { Cooperative.list(state, args.start, args.length) };
  public query func claimable(owner : Principal) : async Nat { Cooperative.claimable(state, owner) };

  public query func icrc3_get_blocks(args : Log.GetBlocksArgs) : async Log.GetBlocksResult { Log.getBlocks(state.log, args) };
  public query func icrc3_get_tip_certificate() : async ?Log.DataCertificate { Log.tipCertificate(state.log) };
  public query func icrc3_get_archives(_ : { from : ?Principal }) : async [{ canister_id : Principal; start : Nat; end : Nat }] { [] };
  public query func icrc3_supported_block_types() : async [Log.SupportedBlockType] {
    Array.map<Text, Log.SupportedBlockType>(Cooperative.blockTypes, func t = { block_type = t; url = "docs/log.md" });
  };

  // Deadlines and whatever an upgrade or a lost answer interrupted: made anew at each start of the code.
  transient let _watch = Timer.recurringTimer<system>(
    #seconds 20,
    func() : async () {
      for (row in List.values(state.proposals)) Cooperative.decide(state, row, now());
      if (List.any<Cooperative.Row>(state.proposals, due)) await executeDue();
    },
  );
};
