/// What a release's manifest must be before anybody may vote on it. The reason in words, or null.
import Array "mo:core/Array";
import Blob "mo:core/Blob";
import Int "mo:core/Int";
import Nat "mo:core/Nat";
import T "Types";

module {
  let maxChunks = 200;
  let maxChunkBytes = 1_048_576;
  let maxWasmBytes = 104_857_600; // what the network installs. Source: interface specification, "install_chunked_code"
  let maxVectors = 16;
  let maxVectorBytes = 1_000_000; // all together: they go on chain with the proposal
  let maxTensors = 16;
  let maxMetrics = 64;
  let maxName = 60;

  public func wrongManifest(m : T.ReleaseManifest) : ?Text {
    if (m.title.size() == 0 or m.title.size() > 200) return ?"manifest: title: 1 to 200 characters";
    for (h in [m.wasm_sha256, m.onnx_sha256, m.transcript_hash, m.card_hash].vals()) {
      if (h.size() != 32) return ?"manifest: a SHA-256 has 32 bytes";
    };
    if (m.wasm_chunks.size() == 0 or m.wasm_chunks.size() > maxChunks) return ?"wasm_chunks: 1 to 200";
    if (m.weight_chunks.size() > maxChunks) return ?"weight_chunks: at most 200";
    for (c in Array.concat<T.ChunkInfo>(m.wasm_chunks, m.weight_chunks).vals()) {
      if (c.sha256.size() != 32 or c.size_bytes == 0 or c.size_bytes > maxChunkBytes) return ?"chunks: each 1 byte to 1 MiB with a SHA-256";
    };
    if (bytes(m.wasm_chunks) > maxWasmBytes) return ?"wasm_chunks: at most 100 MiB together";
    if (m.metrics.size() > maxMetrics) return ?"metrics: at most 64";
    if (Array.any<T.Metric>(m.metrics, func x = x.name.size() == 0 or x.name.size() > maxName or Int.abs(x.value_ppm) > 1_000_000_000_000)) {
      return ?"metrics: each a name of 1 to 60 characters and at most 10^12 ppm";
    };
    if (m.tolerance_e9 > 10_000_000) return ?"tolerance_e9: at most 10000000, that is 0.01";
    wrongVectors(m.equality);
  };

  public func bytes(chunks : [T.ChunkInfo]) : Nat = Array.foldLeft<T.ChunkInfo, Nat>(chunks, 0, func(sum, c) = sum + c.size_bytes);

  func wrongVectors(vectors : [T.EqualityVector]) : ?Text {
    if (vectors.size() == 0 or vectors.size() > maxVectors) return ?"equality: 1 to 16 test vectors, so that what runs can be compared with what was trained";
    var total = 0;
    for (v in vectors.vals()) {
      // A vector that compares nothing would be passed by anything.
      if (not Array.any<T.TensorBlob>(v.outputs, func t = t.data.size() > 0)) return ?"equality: each vector has outputs to compare";
      for (t in Array.concat<T.TensorBlob>(v.inputs, v.outputs).vals()) {
        if (t.name.size() > 100 or t.dtype.size() > 20 or t.shape.size() > 16) return ?"equality: a tensor's name has at most 100 characters, its shape at most 16 axes";
        total += t.data.size();
      };
      if (v.inputs.size() > maxTensors or v.outputs.size() > maxTensors) return ?"equality: at most 16 inputs and 16 outputs";
    };
    if (total > maxVectorBytes) return ?"equality: at most 1000000 bytes of tensors together";
    null;
  };
};
