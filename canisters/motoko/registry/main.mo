/// The registry's door: who calls, when, and who may. What it does stands in `Registry.mo`.
import Array "mo:core/Array";
import Int "mo:core/Int";
import Principal "mo:core/Principal";
import Runtime "mo:core/Runtime";
import Time "mo:core/Time";
import Log "../lib/Log";
import Registry "Registry";
import T "Types";

persistent actor class RegistryCanister(init : { jobs : Principal }) = self {
  let jobs = init.jobs;
  let state = Registry.empty();

  func now() : Nat = Int.abs(Time.now());

  func guarded(caller : Principal, act : () -> T.BlockResult) : T.BlockResult {
    if (Principal.isAnonymous(caller)) #Err(#NotAllowed("sign in first: the anonymous principal owns nothing")) else act();
  };

  public shared ({ caller }) func dataset_register(args : T.RegisterArgs) : async T.BlockResult {
    guarded(caller, func() = Registry.register(state, caller, now(), args));
  };

  public shared ({ caller }) func dataset_add_version(args : { dataset_id : Nat; version : T.VersionArgs }) : async T.BlockResult {
    guarded(caller, func() = Registry.addVersion(state, caller, now(), args.dataset_id, args.version));
  };

  public shared ({ caller }) func policy_set(args : { dataset_id : Nat; expected_version : Nat; terms : T.PolicyTerms }) : async T.BlockResult {
    guarded(caller, func() = Registry.setPolicy(state, caller, now(), args.dataset_id, args.expected_version, args.terms));
  };

  public shared ({ caller }) func dataset_withdraw(id : Nat) : async T.BlockResult {
    guarded(caller, func() = Registry.setState(state, caller, now(), id, #Withdrawn));
  };

  public shared ({ caller }) func dataset_restore(id : Nat) : async T.BlockResult {
    guarded(caller, func() = Registry.setState(state, caller, now(), id, #Active));
  };

  public query func dataset_get(id : Nat) : async ?T.Dataset { Registry.get(state, id) };

  public query func datasets_list(args : { start : Nat; length : Nat }) : async { total : Nat; datasets : [T.Dataset] } {
    Registry.list(state, args.start, args.length);
  };

  public query func policy_preview(request : T.UseRequest) : async ?T.Verdict { Registry.decide(state, now(), request) };

  /// The jobs canister only.
  public shared ({ caller }) func policy_decide(requests : [T.UseRequest]) : async [?T.Verdict] {
    if (caller != jobs) Runtime.trap("only the jobs canister asks for a decision; anybody may ask policy_preview");
    Array.map<T.UseRequest, ?T.Verdict>(requests, func r = Registry.decide(state, now(), r));
  };

  /// The jobs canister only.
  public shared ({ caller }) func uses_take(args : { job_id : Nat; uses : [T.TakeUse] }) : async T.TakeResult {
    if (caller != jobs) return #Err({ dataset_id = 0; reason = "only the jobs canister takes uses" });
    Registry.take(state, now(), args.job_id, args.uses);
  };

  system func postupgrade() { Log.certify(state.log) };

  public query func icrc3_get_blocks(args : Log.GetBlocksArgs) : async Log.GetBlocksResult { Log.getBlocks(state.log, args) };
  public query func icrc3_get_tip_certificate() : async ?Log.DataCertificate { Log.tipCertificate(state.log) };
  public query func icrc3_get_archives(_ : { from : ?Principal }) : async [{ canister_id : Principal; start : Nat; end : Nat }] { [] };
  public query func icrc3_supported_block_types() : async [Log.SupportedBlockType] {
    Array.map<Text, Log.SupportedBlockType>(Registry.blockTypes, func t = { block_type = t; url = "docs/log.md" });
  };
};
