/// Does what runs compute what was trained? The answers of an inference canister against those that the manifest has from ONNX Runtime.
import Array "mo:core/Array";
import Blob "mo:core/Blob";
import Float "mo:core/Float";
import Int "mo:core/Int";
import Nat8 "mo:core/Nat8";
import T "Types";

module {
  /// Largest |answer - expected| over all outputs, in 10^-9; null: they cannot be compared.
  public func difference(expected : [T.TensorBlob], got : [T.TensorBlob]) : ?Nat {
    if (expected.size() != got.size()) return null;
    var worst : Float = 0;
    for (e in expected.vals()) {
      let ?g = Array.find<T.TensorBlob>(got, func x = x.name == e.name) else return null;
      if (g.shape != e.shape or g.dtype != e.dtype or g.data.size() != e.data.size()) return null;
      if (e.dtype != "float32") { if (e.data != g.data) return null } else {
        if (e.data.size() % 4 != 0) return null;
        let a = Blob.toArray(e.data);
        let b = Blob.toArray(g.data);
        var i = 0;
        while (i + 4 <= a.size()) {
          let d = Float.abs(float32(a, i) - float32(b, i));
          if (Float.isNaN(d)) return null;
          if (d > worst) worst := d;
          i += 4;
        };
      };
    };
    if (worst > 1.0e6) return null;
    ?Int.abs(Float.toInt(Float.ceil(worst * 1.0e9)));
  };

  /// IEEE 754 binary32, little-endian.
  func float32(bytes : [Nat8], at : Nat) : Float {
    func b(i : Nat) : Nat = Nat8.toNat(bytes[at + i]);
    let bits = b(0) + b(1) * 256 + b(2) * 65_536 + b(3) * 16_777_216;
    let negative = bits >= 2_147_483_648;
    let exponent = bits / 8_388_608 % 256;
    let fraction = Float.fromInt(bits % 8_388_608);
    let size = if (exponent == 255) { 0.0 / 0.0 } else if (exponent == 0) { fraction * 2.0 ** (-149.0) } else {
      (1.0 + fraction / 8_388_608.0) * 2.0 ** Float.fromInt(exponent - 127 : Int);
    };
    if negative { -size } else { size };
  };
};
