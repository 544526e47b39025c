/// SHA-256 (FIPS 180-4) over a blob, or over a list of blobs as if they stood one after the other.
import Prim "mo:prim";
import VarArray "mo:core/VarArray";
import Blob "mo:core/Blob";

module {
  let k : [Nat32] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
  ];

  func word(byte : Nat8) : Nat32 = Prim.nat16ToNat32(Prim.nat8ToNat16(byte));
  func byte(w : Nat32) : Nat8 = Prim.nat16ToNat8(Prim.nat32ToNat16(w & 0xff));

  public func blob(data : Blob) : Blob = blobs([data]);

  public func blobs(parts : [Blob]) : Blob {
    let h : [var Nat32] = [var 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
    let w = VarArray.repeat<Nat32>(0, 64);
    var filled = 0; // bytes of the present block
    var total : Nat = 0;

    func compress() {
      var t = 16;
      while (t < 64) {
        let a = w[t - 15];
        let b = w[t - 2];
        let s0 = (a <>> 7) ^ (a <>> 18) ^ (a >> 3);
        let s1 = (b <>> 17) ^ (b <>> 19) ^ (b >> 10);
        w[t] := w[t - 16] +% s0 +% w[t - 7] +% s1;
        t += 1;
      };
      var a = h[0]; var b = h[1]; var c = h[2]; var d = h[3];
      var e = h[4]; var f = h[5]; var g = h[6]; var hh = h[7];
      t := 0;
      while (t < 64) {
        let t1 = hh +% ((e <>> 6) ^ (e <>> 11) ^ (e <>> 25)) +% ((e & f) ^ (^e & g)) +% k[t] +% w[t];
        let t2 = ((a <>> 2) ^ (a <>> 13) ^ (a <>> 22)) +% ((a & b) ^ (a & c) ^ (b & c));
        hh := g; g := f; f := e; e := d +% t1; d := c; c := b; b := a; a := t1 +% t2;
        t += 1;
      };
      h[0] +%= a; h[1] +%= b; h[2] +%= c; h[3] +%= d; h[4] +%= e; h[5] +%= f; h[6] +%= g; h[7] +%= hh;
      filled := 0;
    };

    func put(value : Nat8) {
      let at = filled / 4;
      if (filled % 4 == 0) { w[at] := 0 };
      w[at] := (w[at] << 8) | word(value);
      filled += 1;
      if (filled == 64) { compress() };
    };

    for (part in parts.vals()) {
      for (value in part.vals()) { put(value) };
      total += part.size();
    };
    put(0x80);
    while (filled != 56) { put(0) };
    let bits = Prim.natToNat64(total * 8);
    var shift : Nat64 = 56;
    label length loop {
      put(byte(Prim.nat64ToNat32((bits >> shift) & 0xff)));
      if (shift == 0) { break length };
      shift -= 8;
    };
    let out = VarArray.repeat<Nat8>(0, 32);
    var i = 0;
    while (i < 8) {
      out[4 * i] := byte(h[i] >> 24);
      out[4 * i + 1] := byte(h[i] >> 16);
      out[4 * i + 2] := byte(h[i] >> 8);
      out[4 * i + 3] := byte(h[i]);
      i += 1;
    };
    Blob.fromVarArray(out);
  };
};
