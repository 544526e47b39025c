/// ICRC-3 values: the form of every block here, and their representation-independent hash.
import Prim "mo:prim";
import Array "mo:core/Array";
import Blob "mo:core/Blob";
import List "mo:core/List";
import Principal "mo:core/Principal";
import Text "mo:core/Text";
import Sha256 "Sha256";

module {
  public type Value = {
    #Nat : Nat;
    #Int : Int;
    #Text : Text;
    #Blob : Blob;
    #Array : [Value];
    #Map : [(Text, Value)];
  };

  /// 32 bytes. Source: ICRC-3, "representation-independent hash".
  public func hash(value : Value) : Blob {
    switch value {
      case (#Nat n) Sha256.blob(leb128(n));
      case (#Int i) Sha256.blob(sleb128(i));
      case (#Text t) Sha256.blob(Text.encodeUtf8(t));
      case (#Blob b) Sha256.blob(b);
      case (#Array items) Sha256.blobs(Array.map<Value, Blob>(items, hash));
      case (#Map pairs) {
        let hashed = Array.map<(Text, Value), (Blob, Blob)>(pairs, func(key, item) = (Sha256.blob(Text.encodeUtf8(key)), hash(item)));
        let sorted = Array.sort<(Blob, Blob)>(hashed, func(a, b) = Blob.compare(a.0, b.0));
        Sha256.blobs(Array.flatten<Blob>(Array.map<(Blob, Blob), [Blob]>(sorted, func(a, b) = [a, b])));
      };
    };
  };

  /// About as many bytes as its Candid has; never fewer than half.
  public func sizeBytes(value : Value) : Nat {
    switch value {
      case (#Nat _ or #Int _) 12;
      case (#Text t) 4 * t.size() + 6;
      case (#Blob b) b.size() + 6;
      case (#Array items) Array.foldLeft<Value, Nat>(items, 6, func(sum, item) = sum + sizeBytes(item));
      case (#Map pairs) Array.foldLeft<(Text, Value), Nat>(pairs, 6, func(sum, (name, item)) = sum + name.size() + 2 + sizeBytes(item));
    };
  };

  public func leb128(value : Nat) : Blob {
    let out = List.empty<Nat8>();
    var rest = value;
    while (rest >= 0x80) {
      List.add(out, Prim.natToNat8(rest % 0x80 + 0x80));
      rest /= 0x80;
    };
    List.add(out, Prim.natToNat8(rest));
    Blob.fromArray(List.toArray(out));
  };

  public func sleb128(value : Int) : Blob {
    let out = List.empty<Nat8>();
    var rest = value;
    label bytes loop {
      // The remainder towards minus infinity: Motoko's own goes towards zero.
      let low : Int = ((rest % 0x80) + 0x80) % 0x80;
      rest := (rest - low) / 0x80;
      let sign = low >= 0x40;
      if ((rest == 0 and not sign) or (rest == -1 and sign)) {
        List.add(out, Prim.natToNat8(Prim.abs(low)));
        break bytes;
      };
      List.add(out, Prim.natToNat8(Prim.abs(low) + 0x80));
    };
    Blob.fromArray(List.toArray(out));
  };

  /// A caller's own key to something: no other caller's can be equal.
  public func owned(caller : Principal, key : Blob) : Blob {
    let owner = Principal.toBlob(caller);
    Blob.fromArray(Array.flatten<Nat8>([[Prim.natToNat8(owner.size())], Blob.toArray(owner), Blob.toArray(key)]));
  };

  // --- from Motoko's values, the same way on every canister ---

  public func principal(p : Principal) : Value = #Blob(Principal.toBlob(p));
  public func principals(ps : [Principal]) : Value = #Array(Array.map<Principal, Value>(ps, principal));
  public func blobs(bs : [Blob]) : Value = #Array(Array.map<Blob, Value>(bs, func b = #Blob b));
  public func texts(ts : [Text]) : Value = #Array(Array.map<Text, Value>(ts, func t = #Text t));
  public func nat64(n : Nat64) : Value = #Nat(Prim.nat64ToNat(n));
  public func bool(b : Bool) : Value = #Nat(if b 1 else 0);
  public func list<T>(items : [T], one : T -> Value) : Value = #Array(Array.map<T, Value>(items, one));

  /// A record: fields that are null are left out.
  public func record(fields : [(Text, ?Value)]) : Value = #Map(present(fields));
  public func present(fields : [(Text, ?Value)]) : [(Text, Value)] {
    Array.filterMap<(Text, ?Value), (Text, Value)>(
      fields,
      func(name, value) = switch value { case (?v) ?(name, v); case null null },
    );
  };
  public func opt<T>(value : ?T, one : T -> Value) : ?Value = switch value { case (?v) ?(one(v)); case null null };
};
