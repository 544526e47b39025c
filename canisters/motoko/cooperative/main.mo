/// A cooperative's door, and the only place that waits for others: the sole controller of its model's inference canister.
///
/// What it decides stands in `Cooperative.mo`. An adopted release installs itself; nobody has to be trusted to press the button. It is
/// installed and tested in a canister that does not serve yet, so the former release stays live until then, and when the new one fails.
import Array "mo:core/Array";
import Cycles "mo:core/Cycles";
import Error "mo:core/Error";
import Int "mo:core/Int";
import List "mo:core/List";
import Map "mo:core/Map";
import Nat "mo:core/Nat";
import Nat32 "mo:core/Nat32";
import Principal "mo:core/Principal";
import Set "mo:core/Set";
import Text "mo:core/Text";
import Time "mo:core/Time";
import Timer "mo:core/Timer";
import Blocks "Blocks";
import Cooperative "Cooperative";
import Equality "Equality";
import Releases "Releases";
import JT "../jobs/Types";
import LT "../ledger/Types";
import Log "../lib/Log";
import Payment "../lib/Payment";
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
    canister_info : shared { canister_id : Principal; num_requested_changes : ?Nat64 } -> async { module_hash : ?Blob };
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
  type Factory = actor { cooperative_upgrade : shared { module_hash : Blob } -> async { #Ok; #Err : Text } };

  let ic : Management = actor "aaaaa-aa";
  let inferenceCycles = 1_000_000_000_000;
  let answerNs = 1_200_000_000_000; // no inference takes so long: what was prepaid for it is given back
  let upgradeNs = 600_000_000_000; // the factory's time to install what was voted for

  let founding = init;
  let state = Cooperative.found(init, Int.abs(Time.now()));
  // Held across calls, and let go of in `finally`, which runs also when a callback traps. An upgrade waits for open calls.
  transient var creating = false;
  transient var executing = false;
  transient let claiming = Set.empty<Principal>();

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
      let made = await* create();
      state.inference := ?made;
      #Ok made;
    } catch error {
      #Err(#Refused("the inference canister could not be made: " # Error.message(error)));
    } finally { creating := false };
  };

  func create() : async* Principal {
    if (Cycles.balance() < 2 * inferenceCycles) throw Error.reject("the cooperative has too few cycles left; anybody may deposit some");
    let { canister_id } = await (with cycles = inferenceCycles) ic.create_canister({ settings = ?{ controllers = ?[me()] }; sender_canister_version = null });
    ignore Log.append(state.log, now(), "inference_created", [("canister", ?V.principal(canister_id))]);
    canister_id;
  };

  /// Where the next release goes: into a canister that does not serve.
  func spare() : async* Principal {
    if (state.live == null) {
      let #Ok(first) = await found() else throw Error.reject("the inference canister could not be made");
      return first;
    };
    switch (state.standby) {
      case (?p) p;
      case null {
        let made = await* create();
        state.standby := ?made;
        made;
      };
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
        // Shares may have gone and other proposals come while the jobs canister was asked.
        switch (Cooperative.wrongProposal(state, caller, args)) { case (?e) return #Err e; case null {} };
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
    let hash = V.hash(Blocks.manifest(m));
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
    let result = Releases.stage(state, now(), row, args.part == #Wasm, Nat32.toNat(args.index), args.data);
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

  func executeSoon<system>() {
    if (Releases.due(state).size() > 0) ignore Timer.setTimer<system>(#seconds 0, executeDue);
  };

  func executeDue() : async () {
    if executing return;
    executing := true;
    try {
      for (row in Releases.due(state).vals()) {
        // Once the factory is let in it stops this canister: nothing else is begun that this would cut off.
        if (not Cooperative.upgrading(state) or Cooperative.isUpgrade(row)) {
          try { await carryOut(row) } catch error {
            // Being stopped is no failure of an upgrade, and a payment whose outcome is not known is ordered again by the same order.
            if (row.order == null and not Cooperative.upgrading(state)) Cooperative.failed(state, now(), row, Error.message(error));
          };
        };
      };
    } finally { executing := false };
  };

  /// A call of its own, so that a trap in it ends this proposal and not the others' turn.
  func carryOut(row : Cooperative.Row) : async () {
    switch (row.args.kind) {
      case (#Release m) await* release(row, m);
      case (#Parameters p) {
        state.parameters := p;
        ignore Cooperative.note(state, row, now(), "parameters_changed", [("parameters", ?Blocks.parameters(p))]);
        Cooperative.executed(state, now(), row);
      };
      case (#TreasuryTransfer({ to; amount_e8s })) await* payFromTreasury(row, to, amount_e8s);
      case (#Upgrade({ module_hash })) await* upgrade(row, module_hash);
    };
  };

  func release(row : Cooperative.Row, m : T.ReleaseManifest) : async* () {
    if (row.state != #Adopted and row.state != #Installing) return; // superseded by one before it in the same turn
    Releases.installing(state, now(), row);
    let canister = await* spare();
    await* put(canister, row, m);
    switch (await* tested(canister, m)) {
      // From here it must not fail: the release is in place and tested.
      case (#Ok worst) Releases.wentLive(state, now(), row, canister, worst);
      case (#Err why) Cooperative.failed(state, now(), row, "the equality test failed: " # why);
    };
  };

  /// The largest difference to the trained network's answers, in 10^-9.
  func tested(canister : Principal, m : T.ReleaseManifest) : async* { #Ok : Nat; #Err : Text } {
    let model : Inference = actor (Principal.toText(canister));
    var worst = 0;
    for (vector in m.equality.vals()) {
      switch (await (with timeout = 300) model.infer_blob({ inputs = vector.inputs })) {
        case (#Err why) return #Err why;
        case (#Ok({ outputs })) switch (Equality.difference(vector.outputs, outputs)) {
          case null return #Err("the answers cannot be compared with those of the trained network");
          case (?error) {
            if (error > m.tolerance_e9) return #Err("an answer differs by " # Nat.toText(error) # "e-9, and " # Nat.toText(m.tolerance_e9) # "e-9 are allowed");
            if (error > worst) worst := error;
          };
        };
      };
    };
    #Ok worst;
  };

  /// Module and weights into a canister that does not serve, each part as the manifest names it.
  func put(canister : Principal, row : Cooperative.Row, m : T.ReleaseManifest) : async* () {
    await ic.clear_chunk_store({ canister_id = canister });
    for (chunk in row.wasm.vals()) {
      let ?data = chunk else throw Error.reject("a chunk of the module is missing");
      ignore await ic.upload_chunk({ canister_id = canister; chunk = data });
    };
    let ?manifest_hash = row.manifest_hash else throw Error.reject("not a release");
    await ic.install_chunked_code({
      mode = #reinstall;
      target_canister = canister;
      store_canister = null;
      chunk_hashes_list = Array.map<T.ChunkInfo, { hash : Blob }>(m.wasm_chunks, func c = { hash = c.sha256 });
      wasm_module_hash = m.wasm_sha256;
      arg = to_candid ({ release_hash = manifest_hash });
      sender_canister_version = null;
    });
    await ic.clear_chunk_store({ canister_id = canister });
    let model : Inference = actor (Principal.toText(canister));
    var index : Nat32 = 0;
    for (chunk in row.weights.vals()) {
      let ?data = chunk else throw Error.reject("a chunk of the weights is missing");
      switch (await (with timeout = 300) model.weights_upload({ index; data })) {
        case (#Ok _) {};
        case (#Err e) throw Error.reject("the module refused a chunk of its weights: " # debug_show e);
      };
      index += 1;
    };
    switch (await (with timeout = 300) model.seal()) { case (#Ok _) {}; case (#Err _) throw Error.reject("the module says that weights are missing") };
  };

  func payFromTreasury(row : Cooperative.Row, to : Principal, amount : Nat) : async* () {
    let before = row.order; // sent before, and the answer was lost
    let order = switch before {
      case (?order) order;
      case null {
        let fee = await ledger().icrc1_fee();
        switch (Cooperative.orderFromTreasury(state, now(), row, to, amount, fee)) {
          case (#Ok order) order;
          case (#Err why) return Cooperative.failed(state, now(), row, why);
        };
      };
    };
    switch (await* sent(order)) {
      case (#Sent block) Cooperative.treasurySent(state, now(), row, order, block);
      case (#Refused why) if (before == null) Cooperative.treasuryNotSent(state, now(), row, order, why);
    };
  };

  /// Refused at the first try, it has surely not moved.
  func sent(order : Payment.Order) : async* Payment.Outcome {
    try { Payment.outcome(await ledger().icrc1_transfer(Payment.transfer(order, null))) } catch error {
      #Refused("the ledger did not answer: " # Error.message(error));
    };
  };

  /// Two have to agree: the owners, who vote for a module by its hash, and the factory, which installs its own class and no other.
  /// It is let in for that, and out again.
  func upgrade(row : Cooperative.Row, module_hash : Blob) : async* () {
    if (row.state == #Installing) return await* upgraded(row, module_hash);
    row.state := #Installing;
    row.begun := now();
    ignore Cooperative.note(state, row, now(), "upgrade_asked", [("module_hash", ?#Blob module_hash)]);
    let answer = try {
      await* control([me(), founding.factory]);
      let factory : Factory = actor (Principal.toText(founding.factory));
      await factory.cooperative_upgrade({ module_hash });
    } catch error #Err(Error.message(error));
    switch answer {
      case (#Ok) {}; // it stops this canister as soon as nothing waits here any more
      case (#Err why) {
        await* control([me()]);
        Cooperative.failed(state, now(), row, why);
      };
    };
  };

  /// Looked at again and again, by the former code and then by the new one.
  func upgraded(row : Cooperative.Row, module_hash : Blob) : async* () {
    let { module_hash = running } = await ic.canister_info({ canister_id = me(); num_requested_changes = null });
    let done = running == ?module_hash;
    if (not done and now() < row.begun + upgradeNs) return;
    await* control([me()]);
    if done { Cooperative.executed(state, now(), row) } else { Cooperative.failed(state, now(), row, "the factory has not installed it in time") };
  };

  func control(controllers : [Principal]) : async* () {
    await ic.update_settings({ canister_id = me(); settings = { controllers = ?controllers }; sender_canister_version = null });
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
    if (price > 0) Cooperative.prepay(state, now(), caller, price, ledgerBlock);
    let model : Inference = actor (Principal.toText(inference));
    let answer = try { await (with timeout = 300) model.infer_blob({ inputs = args.inputs }) } catch error #Err(Error.message(error));
    let sold = switch answer {
      case (#Ok({ outputs; instructions })) {
        // Another release has taken over, and the canister that answered may be taking a third one, which nobody has tested.
        if (state.live != ?live) #Err("another release went live meanwhile: ask it") else {
          let request = V.hash(Blocks.tensors(args.inputs));
          let reply = V.hash(Blocks.tensors(outputs));
          switch (Cooperative.earn(state, now(), caller, price, ledgerBlock, request, reply, live.manifest_hash)) {
            case null #Err("the answer came after its price was given back");
            case (?(parts, block)) #Ok({ outputs; instructions; price_e8s = price; parts; manifest_hash = live.manifest_hash; block; ledger_block = ledgerBlock });
          };
        };
      };
      case (#Err why) #Err why;
    };
    switch sold {
      case (#Ok receipt) #Ok receipt;
      case (#Err why) {
        Cooperative.giveBack(state, now(), ledgerBlock, why);
        #Err(#Inference(Cooperative.brief(why)));
      };
    };
  };

  public shared ({ caller }) func revenue_claim() : async { #Ok : { amount_e8s : Nat; ledger_block : Nat }; #Err : T.CoopError } {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    if (Set.contains(claiming, Principal.compare, caller)) return #Err(#Busy);
    Set.add(claiming, Principal.compare, caller);
    try {
      let before = Map.get(state.orders, Principal.compare, caller); // sent before, and the answer was lost
      let order = switch before {
        case (?order) order;
        case null {
          if (Cooperative.claimable(state, caller) == 0) return #Err(#NotFound("nothing is due to you here"));
          let fee = await ledger().icrc1_fee();
          switch (Cooperative.orderRevenue(state, now(), caller, fee)) { case (#Ok order) order; case (#Err why) return #Err(#Payment why) };
        };
      };
      switch (await* sent(order)) {
        case (#Sent block) {
          Cooperative.revenueSent(state, now(), order, block);
          #Ok({ amount_e8s = order.gross_e8s - order.fee_e8s : Nat; ledger_block = block });
        };
        case (#Refused why) {
          if (before == null) Cooperative.revenueNotSent(state, order);
          #Err(#Payment why);
        };
      };
    } catch error { #Err(#Payment("the ledger did not answer: " # Error.message(error))) } finally { Set.remove(claiming, Principal.compare, caller) };
  };

  // --- shares: ICRC-1, as far as ownership needs it ---

  public shared ({ caller }) func icrc1_transfer(args : { from_subaccount : ?Blob; to : T.Account; amount : Nat; fee : ?Nat; memo : ?Blob; created_at_time : ?Nat64 }) : async { #Ok : Nat; #Err : T.CoopError } {
    if (Principal.isAnonymous(caller)) return #Err signIn;
    if (args.from_subaccount != null or args.to.subaccount != null) return #Err(#Invalid("shares are held by principals, without subaccounts"));
    // What would be accepted and not kept is refused.
    switch (args.fee) { case (null or ?0) {}; case _ return #Err(#Invalid("fee: transferring shares costs nothing")) };
    if (args.memo != null or args.created_at_time != null) return #Err(#Invalid("memo, created_at_time: leave them out, shares have no deduplication"));
    if (args.to.owner == me()) return #Err(#Invalid("to: the cooperative cannot own itself"));
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
    Array.map<Text, Log.SupportedBlockType>(Blocks.blockTypes, func t = { block_type = t; url = "docs/log.md" });
  };

  system func postupgrade() { Log.certify(state.log) };

  // Deadlines, and whatever a lost answer interrupted. Made anew at each start of the code.
  transient let _watch = Timer.recurringTimer<system>(
    #seconds 20,
    func() : async () {
      for (row in List.values(state.proposals)) Cooperative.decide(state, row, now());
      Cooperative.giveBackOlder(state, now(), answerNs);
      if (Releases.due(state).size() > 0) await executeDue();
    },
  );
};
