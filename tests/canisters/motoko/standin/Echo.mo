/// Stands in for a compiled network where a test is about the cooperative and not about the network: says its inputs back.
///
/// Its first chunk of weights tells how: "echo", or how it misbehaves: "wrong", "misshapen", "refuse", "trap", "unsealed".
import Array "mo:core/Array";
import Blob "mo:core/Blob";
import List "mo:core/List";
import Nat32 "mo:core/Nat32";
import Principal "mo:core/Principal";
import Runtime "mo:core/Runtime";
import Text "mo:core/Text";

persistent actor class Echo(init : { release_hash : Blob }) {
  type TensorBlob = { name : Text; dtype : Text; shape : [Nat64]; data : Blob };

  let release = init.release_hash;
  let weights = List.empty<Blob>();

  func manner() : Text = switch (List.first(weights)) { case (?w) { switch (Text.decodeUtf8(w)) { case (?t) t; case null "echo" } }; case null "echo" };

  public shared ({ caller }) func infer_blob(args : { inputs : [TensorBlob] }) : async { #Ok : { outputs : [TensorBlob]; instructions : Nat64 }; #Err : Text } {
    if (not Principal.isController(caller)) return #Err("only its cooperative may ask");
    if (manner() == "trap" or Array.any<TensorBlob>(args.inputs, func t = t.name == "trap")) Runtime.trap("as told");
    if (manner() == "refuse") return #Err("as told");
    if (Array.any<TensorBlob>(args.inputs, func t = t.name != "features")) return #Err("the input is called features");
    let outputs = switch (manner()) {
      case "wrong" Array.map<TensorBlob, TensorBlob>(args.inputs, func t = { t with data = "\00\00\80\3f\00\00\80\3f" : Blob }); // 1, 1
      case "misshapen" Array.map<TensorBlob, TensorBlob>(args.inputs, func t = { t with shape = [2, 1] : [Nat64] });
      case _ args.inputs;
    };
    #Ok({ outputs; instructions = 1_000 });
  };

  public shared ({ caller }) func weights_upload(args : { index : Nat32; data : Blob }) : async { #Ok : {}; #Err : { #UnknownChunk : Nat32; #AlreadySealed } } {
    if (not Principal.isController(caller)) return #Err(#AlreadySealed);
    if (Nat32.toNat(args.index) != List.size(weights)) return #Err(#UnknownChunk(args.index));
    List.add(weights, args.data);
    #Ok({});
  };

  public shared ({ caller }) func seal() : async { #Ok : {}; #Err : { missing : [Nat32] } } {
    if (not Principal.isController(caller) or manner() == "unsealed") return #Err({ missing = [7] });
    #Ok({});
  };

  public query func describe() : async { release_hash : Blob } { { release_hash = release } };
};
