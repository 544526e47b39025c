/// Splits a whole into parts by weights so that the parts sum to it: largest remainder, ties to the earlier part.
import Array "mo:core/Array";
import Nat "mo:core/Nat";
import VarArray "mo:core/VarArray";

module {
  /// All weights 0: equal weights. No parts: nothing is split.
  public func split(total : Nat, weights : [Nat]) : [Nat] {
    let count = weights.size();
    if (count == 0) { return [] };
    let sum = Array.foldLeft<Nat, Nat>(weights, 0, func(a, b) = a + b);
    let effective = if (sum == 0) Array.repeat<Nat>(1, count) else weights;
    let whole = if (sum == 0) count else sum;
    let parts = VarArray.fromArray<Nat>(Array.map<Nat, Nat>(effective, func w = total * w / whole));
    let given = Array.foldLeft<Nat, Nat>(Array.fromVarArray<Nat>(parts), 0, func(a, b) = a + b);
    // By size of remainder, then by position.
    let order = Array.sort<(Nat, Nat)>(
      Array.mapEntries<Nat, (Nat, Nat)>(effective, func(w, i) = (total * w % whole, i)),
      func(a, b) = switch (Nat.compare(b.0, a.0)) { case (#equal) Nat.compare(a.1, b.1); case other other },
    );
    var left : Nat = total - given;
    var next = 0;
    while (left > 0) {
      parts[order[next].1] += 1;
      left -= 1;
      next += 1;
    };
    Array.fromVarArray<Nat>(parts);
  };
};
