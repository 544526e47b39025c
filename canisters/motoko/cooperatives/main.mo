/// The factory: makes one cooperative for each model, out of what a settled job says of its owners, and keeps no power over it.
import Array "mo:core/Array";
import Error "mo:core/Error";
import Int "mo:core/Int";
import List "mo:core/List";
import Map "mo:core/Map";
import Nat "mo:core/Nat";
import Nat64 "mo:core/Nat64";
import Principal "mo:core/Principal";
import Time "mo:core/Time";
import Timer "mo:core/Timer";
import CT "../cooperative/Types";
import Cooperative "../cooperative/main";
import CooperativeLogic "../cooperative/Cooperative";
import JT "../jobs/Types";
import Log "../lib/Log";
import V "../lib/Value";

persistent actor class CooperativesCanister(init : { jobs : Principal; ledger : Principal }) = self {
  type CreateArgs = { job_id : Nat; name : Text; parameters : CT.Parameters };
  type Entry = { job_id : Nat; name : Text; canister : Principal; inference : Principal; creator : Principal; created_at_ns : Nat64; block : Nat };
  type CreateError = { #NotAllowed : Text; #NotFound : Text; #Invalid : Text; #AlreadyExists : Entry; #Refused : Text; #Busy };
  type Jobs = actor { job_get : shared query Nat -> async ?JT.Job };
  type Management = actor {
    update_settings : shared { canister_id : Principal; settings : { controllers : ?[Principal] }; sender_canister_version : ?Nat64 } -> async ();
    stop_canister : shared { canister_id : Principal } -> async ();
    start_canister : shared { canister_id : Principal } -> async ();
  };

  let ic : Management = actor "aaaaa-aa";
  let cooperativeCycles = 4_000_000_000_000;
  let jobsId = init.jobs;
  let ledgerId = init.ledger;
  let entries = List.empty<Entry>();
  let pending = Map.empty<Nat, { since : Nat; made : ?Principal }>(); // job -> a creation under way
  let upgrading = Map.empty<Principal, Nat>();
  let log = Log.empty();
  let busyNs = 300_000_000_000;

  func now() : Nat = Int.abs(Time.now());
  func known(jobId : Nat) : ?Entry = List.find<Entry>(entries, func e = e.job_id == jobId);

  public shared ({ caller }) func cooperative_create(args : CreateArgs) : async { #Ok : Entry; #Err : CreateError } {
    if (Principal.isAnonymous(caller)) return #Err(#NotAllowed("sign in first"));
    switch (known(args.job_id)) { case (?e) return #Err(#AlreadyExists e); case null {} };
    if (args.name.size() == 0 or args.name.size() > 100) return #Err(#Invalid("name: 1 to 100 characters"));
    switch (CT.wrongParameters(args.parameters)) { case (?reason) return #Err(#Invalid reason); case null {} };
    var made : ?Principal = null;
    switch (Map.get(pending, Nat.compare, args.job_id)) {
      case (?p) { if (now() < p.since + busyNs) return #Err(#Busy); made := p.made };
      case null {};
    };
    Map.add(pending, Nat.compare, args.job_id, { since = now(); made });
    try {
      let jobs : Jobs = actor (Principal.toText(jobsId));
      let ?job = await jobs.job_get(args.job_id) else return refuse(args.job_id, #NotFound("job " # Nat.toText(args.job_id)));
      if (job.state != #Settled) return refuse(args.job_id, #Invalid("the job is not settled yet"));
      let holders = owners(job.shares);
      if (not Array.any<CT.Holder>(holders, func h = h.owner == caller)) return refuse(args.job_id, #NotAllowed("only who holds a share of the model can found its cooperative"));
      let me = Principal.fromActor(self);
      let canister = switch made {
        case (?p) p;
        case null {
          let coop = await (with cycles = cooperativeCycles) Cooperative.CooperativeCanister({
            job_id = args.job_id;
            name = args.name;
            jobs = jobsId;
            ledger = ledgerId;
            factory = me;
            holders;
            parameters = args.parameters;
          });
          Principal.fromActor(coop);
        };
      };
      Map.add(pending, Nat.compare, args.job_id, { since = now(); made = ?canister });
      let coop : actor { found : shared () -> async { #Ok : Principal; #Err : CT.CoopError } } = actor (Principal.toText(canister));
      let #Ok(inference) = await coop.found() else return refuse(args.job_id, #Refused("the inference canister could not be made"));
      // Last: from here on it is the owners' alone.
      await ic.update_settings({ canister_id = canister; settings = { controllers = ?[canister] }; sender_canister_version = null });
      let block = Log.append(
        log,
        now(),
        "cooperative_created",
        [
          ("job_id", ?#Nat(args.job_id)),
          ("name", ?#Text(args.name)),
          ("canister", ?V.principal(canister)),
          ("inference", ?V.principal(inference)),
          ("creator", ?V.principal(caller)),
          ("holders", ?CooperativeLogic.holdersValue(holders)),
          ("parameters", ?CooperativeLogic.parametersValue(args.parameters)),
        ],
      );
      let entry = { job_id = args.job_id; name = args.name; canister; inference; creator = caller; created_at_ns = Nat64.fromNat(now()); block };
      List.add(entries, entry);
      Map.remove(pending, Nat.compare, args.job_id);
      #Ok entry;
    } catch error {
      refuse(args.job_id, #Refused(Error.message(error)));
    };
  };

  /// Give up the hold, keeping a canister that was made already: the next try goes on with it.
  func refuse(jobId : Nat, error : CreateError) : { #Ok : Entry; #Err : CreateError } {
    switch (Map.get(pending, Nat.compare, jobId)) {
      case (?{ made = ?p }) Map.add(pending, Nat.compare, jobId, { since = 0; made = ?p });
      case _ Map.remove(pending, Nat.compare, jobId);
    };
    #Err error;
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

  /// For a cooperative whose owners voted for it, and which has let this factory in. It must not wait for the answer: it is being stopped.
  public shared ({ caller }) func cooperative_upgrade() : async { #Ok; #Err : Text } {
    if (not List.any<Entry>(entries, func e = e.canister == caller)) return #Err("only a cooperative of this factory can ask");
    Map.add(upgrading, Principal.compare, caller, now());
    ignore Timer.setTimer<system>(#seconds 1, upgradeAll);
    #Ok;
  };

  func upgradeAll() : async () {
    for ((canister, _) in Map.entries(upgrading)) {
      Map.remove(upgrading, Principal.compare, canister);
      let ?entry = List.find<Entry>(entries, func e = e.canister == canister) else return;
      let reason = try {
        await ic.stop_canister({ canister_id = canister });
        let old : Cooperative.CooperativeCanister = actor (Principal.toText(canister));
        // What it was founded with is kept in its own state; these arguments are read and not used.
        let nothing : CT.Init = { job_id = entry.job_id; name = entry.name; jobs = jobsId; ledger = ledgerId; factory = Principal.fromActor(self); holders = []; parameters = { price_e8s = 0; treasury_bps = 0; voting_period_ns = 0; quiet_period_ns = 0 } };
        ignore await (system Cooperative.CooperativeCanister)(#upgrade_with_persistence({ canister = old; wasm_memory_persistence = #keep }))(nothing);
        "";
      } catch error Error.message(error);
      // Whatever came of it: running again, and its own alone.
      try { await ic.start_canister({ canister_id = canister }) } catch _ {};
      try { await ic.update_settings({ canister_id = canister; settings = { controllers = ?[canister] }; sender_canister_version = null }) } catch _ {};
      ignore Log.append(log, now(), "cooperative_upgraded", [("canister", ?V.principal(canister)), ("failure", if (reason == "") null else ?#Text reason)]);
    };
  };

  public query func cooperative_get(args : { job_id : Nat }) : async ?Entry { known(args.job_id) };
  public query func cooperatives_list(args : { start : Nat; length : Nat }) : async { total : Nat; cooperatives : [Entry] } {
    let total = List.size(entries);
    let end = Nat.min(total, args.start + Nat.min(args.length, 100));
    { total; cooperatives = if (args.start >= end) [] else List.sliceToArray(entries, args.start, end) };
  };

  public query func icrc3_get_blocks(args : Log.GetBlocksArgs) : async Log.GetBlocksResult { Log.getBlocks(log, args) };
  public query func icrc3_get_tip_certificate() : async ?Log.DataCertificate { Log.tipCertificate(log) };
  public query func icrc3_get_archives(_ : { from : ?Principal }) : async [{ canister_id : Principal; start : Nat; end : Nat }] { [] };
  public query func icrc3_supported_block_types() : async [Log.SupportedBlockType] {
    Array.map<Text, Log.SupportedBlockType>(["cooperative_created", "cooperative_upgraded"], func t = { block_type = t; url = "docs/log.md" });
  };
};
