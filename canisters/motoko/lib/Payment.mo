/// A payment out of a canister's account, written down before it is sent.
///
/// When the answer is lost (its callback trapped), the same order is sent again: the ledger carries it out once and then names the block.
/// So nobody is paid twice and nothing that is due is forgotten. Source: ICRC-1, "Transaction deduplication".
import Array "mo:core/Array";
import Blob "mo:core/Blob";
import Nat "mo:core/Nat";
import Nat8 "mo:core/Nat8";
import LT "../ledger/Types";

module {
  /// `gross_e8s` leaves the account, `fee_e8s` of it goes to the ledger. `id` keeps two equal payments apart.
  public type Order = { id : Nat; to : Principal; gross_e8s : Nat; fee_e8s : Nat; created_at_ns : Nat64 };
  public type Outcome = { #Sent : Nat; #Refused : Text };

  public func transfer(order : Order, from_subaccount : ?Blob) : LT.TransferArgs = {
    from_subaccount;
    to = { owner = order.to; subaccount = null };
    amount = order.gross_e8s - order.fee_e8s : Nat;
    fee = ?order.fee_e8s;
    memo = ?number(order.id, 8);
    created_at_time = ?order.created_at_ns;
  };

  public func outcome(result : LT.TransferResult) : Outcome = switch result {
    case (#Ok block) #Sent block;
    case (#Err(#Duplicate({ duplicate_of }))) #Sent duplicate_of;
    case (#Err other) #Refused("the ledger refused: " # debug_show other);
  };

  /// Why this much cannot be sent; null: it can.
  public func tooSmall(gross_e8s : Nat, fee_e8s : Nat) : ?Text {
    if (gross_e8s > fee_e8s) null else ?("what is due, " # Nat.toText(gross_e8s) # " e8s, does not cover the ledger's fee of " # Nat.toText(fee_e8s) # " e8s");
  };

  /// Big-endian in `size` bytes; the escrow of a job is the subaccount of its number in 32.
  public func number(value : Nat, size : Nat) : Blob {
    var rest = value;
    let low = Array.tabulate<Nat8>(
      size,
      func _ {
        let byte = Nat8.fromNat(rest % 256);
        rest /= 256;
        byte;
      },
    );
    Blob.fromArray(Array.reverse<Nat8>(low));
  };
};
