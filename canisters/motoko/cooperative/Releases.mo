/// A release on its way: chunks that its manifest names, then installing, then live, and the former one superseded.
///
/// Plain functions over the cooperative's state, as in `Cooperative.mo`.
import Array "mo:core/Array";
import List "mo:core/List";
import Nat64 "mo:core/Nat64";
import Principal "mo:core/Principal";
import Cooperative "Cooperative";
import Sha256 "../lib/Sha256";
import T "Types";

module {
  type State = Cooperative.State;
  type Row = Cooperative.Row;

  // Chunks of releases that are still voted on: a cooperative's memory has 3 GiB, and what was adopted must find room too.
  let maxStagedBytes = 1_073_741_824;

  public func stage(state : State, now : Nat, row : Row, wasm : Bool, index : Nat, data : Blob) : { #Ok : { complete : Bool }; #Err : T.CoopError } {
    let #Release(m) = row.args.kind else return #Err(#Invalid("this proposal is not a release"));
    switch (row.state) { case (#Voting or #Adopted or #Installing) {}; case _ return #Err(#Closed("this proposal takes no chunks any more")) };
    let named = if wasm m.wasm_chunks else m.weight_chunks;
    let held = if wasm row.wasm else row.weights;
    if (index >= named.size()) return #Err(#UnknownChunk);
    if (data.size() != named[index].size_bytes) return #Err(#Invalid("the chunk has another size than the manifest says"));
    let got = Sha256.blob(data);
    if (got != named[index].sha256) return #Err(#WrongHash({ expected = named[index].sha256; got }));
    if (held[index] != null) return #Ok({ complete = complete(row) });
    if (row.state == #Voting and stagedBytes(state) + data.size() > maxStagedBytes) {
      return #Err(#Closed("1 GiB of chunks are staged for open votes already: upload these when the proposal is adopted"));
    };
    held[index] := ?data;
    if (complete(row)) ignore Cooperative.note(state, row, now, "release_staged", []);
    #Ok({ complete = complete(row) });
  };

  func stagedBytes(state : State) : Nat {
    var sum = 0;
    for (row in List.values(state.proposals)) {
      if (row.state == #Voting) {
        for (chunks in [row.wasm, row.weights].vals()) for (c in chunks.vals()) switch c { case (?data) sum += data.size(); case null {} };
      };
    };
    sum;
  };

  public func complete(row : Row) : Bool {
    for (c in row.wasm.vals()) { if (c == null) return false };
    for (c in row.weights.vals()) { if (c == null) return false };
    row.wasm.size() > 0;
  };

  /// Is there something to carry out? What was decided first comes first.
  public func due(state : State) : [Row] {
    let found = List.filter<Row>(
      state.proposals,
      func row = switch (row.state) {
        case (#Adopted or #Installing) switch (row.args.kind) { case (#Release _) complete(row); case _ true };
        case _ false;
      },
    );
    Array.sort<Row>(List.toArray(found), func(a, b) = compareDecided(a, b));
  };

  func compareDecided(a : Row, b : Row) : { #less; #equal; #greater } {
    switch (a.decided, b.decided) {
      case (?x, ?y) if (x < y) #less else if (x > y) #greater else #equal;
      case _ #equal;
    };
  };

  public func installing(state : State, now : Nat, row : Row) {
    if (row.state == #Adopted) {
      row.state := #Installing;
      ignore Cooperative.note(state, row, now, "release_installing", []);
    };
  };

  /// In `canister`, tested. The one that served until now becomes the standby, untouched until a later release is installed.
  public func wentLive(state : State, now : Nat, row : Row, canister : Principal, maxError : Nat) {
    let #Release(m) = row.args.kind else return;
    let ?manifest_hash = row.manifest_hash else return;
    let block = Cooperative.note(
      state,
      row,
      now,
      "release_live",
      [
        ("manifest_hash", ?#Blob manifest_hash),
        ("wasm_sha256", ?#Blob(m.wasm_sha256)),
        ("max_abs_error_e9", ?#Nat maxError),
        ("inference", ?#Blob(Principal.toBlob(canister))),
      ],
    );
    for (other in List.values(state.proposals)) if (outdated(other, row)) {
      other.state := #Superseded;
      Cooperative.dropChunks(other);
      ignore Cooperative.note(state, other, now, "release_superseded", [("by", ?#Nat(row.id))]);
    };
    row.state := #Live;
    Cooperative.dropChunks(row);
    if (state.inference != ?canister) {
      state.standby := state.inference;
      state.inference := ?canister;
    };
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

  /// The release that was live, and those adopted before this one that wait for chunks: uploaded later, they would bring back the past.
  func outdated(other : Row, by : Row) : Bool {
    if (other.id == by.id) return false;
    switch (other.args.kind, other.state) {
      case (#Release _, #Live) true;
      case (#Release _, #Adopted) compareDecided(other, by) != #greater;
      case _ false;
    };
  };
};
