// A canister with much on its heap and timers that go on: what an upgrade has to carry over. Used by test_large_heap.py.
import List "mo:core/List";
import Nat8 "mo:core/Nat8";
import Timer "mo:core/Timer";
import VarArray "mo:core/VarArray";

persistent actor {
  let blocks = List.empty<[var Nat64]>();
  var ticks = 0;
  transient var ticking = Timer.recurringTimer<system>(#seconds 1, func() : async () { ticks += 1 });

  /// Eight bytes a number: `count` blocks of 8 MiB each.
  public func fill(count : Nat) : async Nat {
    for (_ in Nat8.range(0, Nat8.fromNat(count))) {
      let block = VarArray.repeat<Nat64>(7, 1_048_576);
      block[1_000_000] := 11;
      List.add(blocks, block);
    };
    List.size(blocks);
  };

  public query func sampled(index : Nat) : async (Nat64, Nat64) {
    let block = List.at(blocks, index);
    (block[0], block[1_000_000]);
  };

  public func change(index : Nat, value : Nat64) : async () { List.at(blocks, index)[0] := value };
  public query func held() : async Nat { List.size(blocks) };
  public query func ticked() : async Nat { ticks };
  public func stop() : async () { Timer.cancelTimer(ticking) };
};
