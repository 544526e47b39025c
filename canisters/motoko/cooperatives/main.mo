/// The factory: makes one cooperative for each model, out of what a settled job says of its owners, and keeps no power over it.
///
/// Later it upgrades one, when its owners have voted for this factory's class by its hash and have let it in for that.
import Array "mo:core/Array";
import Cycles "mo:core/Cycles";
import Error "mo:core/Error";
import Int "mo:core/Int";
import List "mo:core/List";
import Map "mo:core/Map";
import Nat "mo:core/Nat";
import Nat64 "mo:core/Nat64";
import Principal "mo:core/Principal";
import Set "mo:core/Set";
import Time "mo:core/Time";
import Timer "mo:core/Timer";
import CT "../cooperative/Types";
import Cooperative "../cooperative/main";
import ClassHash "ClassHash"; // written by build.mjs: what `Cooperative` compiles to
import Blocks "../cooperative/Blocks";
import JT "../jobs/Types";
import Log "../lib/Log";
import V "../lib/Value";

persistent actor class CooperativesCanister(init : { jobs : Principal; ledger : Principal }) = self {
  type CreateArgs = { job_id : Nat; name : Text; parameters : CT.Parameters };
  type Entry = { job_id : Nat; name : Text; canister : Principal; inference : Principal; creator : Principal; created_at_ns : Nat64; block : Nat };
  type CreateError = { #NotAllowed : Text; #NotFound : Text; #Invalid : Text; #AlreadyExists : Entry; #Refused : Text; #Busy };
  type Made = { #Ok : Entry; #Err : CreateError };
  type Jobs = actor { job_get : shared query Nat -> async ?JT.Job };
  type Founded = actor {
    found : shared () -> async { #Ok : Principal; #Err : CT.CoopError };
    info : shared query () -> async CT.Info;
  };
  type Management = actor {
    update_settings : shared { canister_id : Principal; settings : { controllers : ?[Principal] }; sender_canister_version : ?Nat64 } -> async ();
    stop_canister : shared { canister_id : Principal } -> async ();
    start_canister : shared { canister_id : Principal } -> async ();
  };

  let ic : Management = actor "aaaaa-aa";
  let cooperativeCycles = 4_000_000_000_000;
  let reserveCycles = 1_000_000_000_000; // for the factory's own calls
  let jobsId = init.jobs;
  let ledgerId = init.ledger;
  let entries = List.empty<Entry>();
  let begun = Map.empty<Nat, Principal>(); // job -> a cooperative that is made and not yet its owners' own
  let upgrading = List.empty<Principal>(); // in turn
  let log = Log.empty();
  // Held across calls, and let go of in `finally`, which runs also when a callback traps. An upgrade waits for open calls.
  transient let creating = Set.empty<Nat>();
  transient var upgradingNow = false;

  func now() : Nat = Int.abs(Time.now());
  func known(jobId : Nat) : ?Entry = List.find<Entry>(entries, func e = e.job_id == jobId);

  public shared ({ caller }) func cooperative_create(args : CreateArgs) : async Made {
    if (Principal.isAnonymous(caller)) return #Err(#NotAllowed("sign in first: the anonymous principal holds no share"));
    switch (known(args.job_id)) { case (?e) return #Err(#AlreadyExists e); case null {} };
    if (args.name.size() == 0 or args.name.size() > 100) return #Err(#Invalid("name: 1 to 100 characters"));
    switch (CT.wrongParameters(args.parameters)) { case (?reason) return #Err(#Invalid reason); case null {} };
    if (Set.contains(creating, Nat.compare, args.job_id)) return #Err(#Busy);
    Set.add(creating, Nat.compare, args.job_id);
    try { await make(caller, args) } catch error { #Err(#Refused(Error.message(error))) } finally { Set.remove(creating, Nat.compare, args.job_id) };
  };

  /// Each step can be interrupted; the next try goes on with the canister that is there.
  func make(caller : Principal, args : CreateArgs) : async Made {
    let jobs : Jobs = actor (Principal.toText(jobsId));
    let ?job = await jobs.job_get(args.job_id) else return #Err(#NotFound("job " # Nat.toText(args.job_id)));
    if (job.state != #Settled) return #Err(#Invalid("the job is not settled yet"));
    let holders = owners(job.shares);
    if (not Array.any<CT.Holder>(holders, func h = h.owner == caller)) return #Err(#NotAllowed("only who holds a share of the model can found its cooperative"));
    let canister = switch (Map.get(begun, Nat.compare, args.job_id)) {
      case (?p) p;
      case null {
        if (Cycles.balance() < cooperativeCycles + reserveCycles) return #Err(#Refused("the factory has too few cycles left; anybody may deposit some"));
        let coop = await (with cycles = cooperativeCycles) Cooperative.CooperativeCanister({
          job_id = args.job_id;
          name = args.name;
          jobs = jobsId;
          ledger = ledgerId;
          factory = Principal.fromActor(self);
          holders;
          parameters = args.parameters;
        });
        Map.add(begun, Nat.compare, args.job_id, Principal.fromActor(coop));
        Principal.fromActor(coop);
      };
    };
    let coop : Founded = actor (Principal.toText(canister));
    let #Ok(inference) = await coop.found() else return #Err(#Refused("the inference canister could not be made: try again"));
    let { name; parameters } = await coop.info(); // of a first try that was interrupted, perhaps, by another holder
    // Last: from here on it is the owners' alone.
    await* own(canister, [canister]);
    let block = Log.append(
      log,
      now(),
      "cooperative_created",
      [
        ("job_id", ?#Nat(args.job_id)),
        ("name", ?#Text name),
        ("canister", ?V.principal(canister)),
        ("inference", ?V.principal(inference)),
        ("creator", ?V.principal(caller)),
        ("holders", ?Blocks.holders(holders)),
        ("parameters", ?Blocks.parameters(parameters)),
      ],
    );
    let entry = { job_id = args.job_id; name; canister; inference; creator = caller; created_at_ns = Nat64.fromNat(now()); block };
    List.add(entries, entry);
    Map.remove(begun, Nat.compare, args.job_id);
    #Ok entry;
  };

  func own(canister : Principal, controllers : [Principal]) : async* () {
    await ic.update_settings({ canister_id = canister; settings = { controllers = ?controllers }; sender_canister_version = null });
  };

  /// One holder for each owner, whatever their roles.
  func owners(shares : [JT.Share]) : [CT.Holder] {
    let sums = Map.empty<Principal, Nat>();
    for (s in shares.vals()) {
      if (s.share_bps > 0) {
        let before = switch (Map.get(sums, Principal.compare, s.owner)) { case (?n) n; case null 0 };
        Map.add(sums, Principal.compare, s.owner, before + s.share_bps);
      };
    };
    Array.map<(Principal, Nat), CT.Holder>(Map.toArray(sums), func(owner, shares) = { owner; shares });
  };

  /// For a cooperative whose owners voted for this class, by its hash, and which has let this factory in. It is done after the answer:
  /// the cooperative is stopped for it.
  public shared ({ caller }) func cooperative_upgrade(args : { module_hash : Blob }) : async { #Ok; #Err : Text } {
    if (not List.any<Entry>(entries, func e = e.canister == caller)) return #Err("only a cooperative of this factory can ask");
    if (args.module_hash != ClassHash.value) return #Err("the factory's class is another than the one voted for: see class_hash");
    if (not List.any<Principal>(upgrading, func p = p == caller)) List.add(upgrading, caller);
    ignore Timer.setTimer<system>(#seconds 0, upgradeAll);
    #Ok;
  };

  func upgradeAll() : async () {
    if upgradingNow return;
    upgradingNow := true;
    try {
      while (not List.isEmpty(upgrading)) {
        let canister = List.at(upgrading, 0);
        let reason = try { await upgrade(canister); "" } catch error Error.message(error);
        // Whatever came of it: running again, and its own alone.
        await ic.start_canister({ canister_id = canister });
        await* own(canister, [canister]);
        List.retain<Principal>(upgrading, func p { p != canister });
        ignore Log.append(
          log,
          now(),
          "cooperative_upgraded",
          [("canister", ?V.principal(canister)), ("module_hash", ?#Blob(ClassHash.value)), ("failure", if (reason == "") null else ?#Text reason)],
        );
      };
    } catch _ { ignore Timer.setTimer<system>(#seconds 60, upgradeAll) } finally { upgradingNow := false };
  };

  func upgrade(canister : Principal) : async () {
    let ?entry = List.find<Entry>(entries, func e = e.canister == canister) else throw Error.reject("not a cooperative of this factory");
    await ic.stop_canister({ canister_id = canister });
    let old : Cooperative.CooperativeCanister = actor (Principal.toText(canister));
    // What it was founded with is kept in its own state; these arguments are read and not used.
    let unused : CT.Init = {
      job_id = entry.job_id;
      name = entry.name;
      jobs = jobsId;
      ledger = ledgerId;
      factory = Principal.fromActor(self);
      holders = [];
      parameters = { price_e8s = 0; treasury_bps = 0; voting_period_ns = 0; quiet_period_ns = 0 };
    };
    ignore await (system Cooperative.CooperativeCanister)(#upgrade_with_persistence({ canister = old; wasm_memory_persistence = #keep }))(unused);
  };

  /// SHA-256 of the class that this factory makes cooperatives of, and to which it upgrades those that vote for it: cooperative.wasm.
  public query func class_hash() : async Blob { ClassHash.value };

  public query func cooperative_get(args : { job_id : Nat }) : async ?Entry { known(args.job_id) };
  public query func cooperatives_list(args : { start : Nat; length : Nat }) : async { total : Nat; cooperatives : [Entry] } {
    let total = List.size(entries);
    let end = Nat.min(total, args.start + Nat.min(args.length, 100));
    { total; cooperatives = if (args.start >= end) [] else List.sliceToArray(entries, args.start, end) };
  };

  system func postupgrade() { Log.certify(log) };
  // What was asked for before this code was installed.
  if (not List.isEmpty(upgrading)) ignore Timer.setTimer<system>(#seconds 0, upgradeAll);

  public query func icrc3_get_blocks(args : Log.GetBlocksArgs) : async Log.GetBlocksResult { Log.getBlocks(log, args) };
  public query func icrc3_get_tip_certificate() : async ?Log.DataCertificate { Log.tipCertificate(log) };
  public query func icrc3_get_archives(_ : { from : ?Principal }) : async [{ canister_id : Principal; start : Nat; end : Nat }] { [] };
  public query func icrc3_supported_block_types() : async [Log.SupportedBlockType] {
    Array.map<Text, Log.SupportedBlockType>(["cooperative_created", "cooperative_upgraded"], func t = { block_type = t; url = "docs/log.md" });
  };
};
