/// What a proposal and a result must be before anything is written. Each check gives the reason in words, or null.
import Array "mo:core/Array";
import Int "mo:core/Int";
import Nat "mo:core/Nat";
import Nat64 "mo:core/Nat64";
import Text "mo:core/Text";
import Blocks "Blocks";
import T "Types";
import V "../lib/Value";

module {
  let maxDatasets = 64;
  let maxArtifacts = 256; // the chunks of the weights are artifacts too
  let maxText = 200;
  let maxName = 100;
  let maxTerm = 60;
  let maxCount = 1_000_000_000_000; // a number nobody means seriously is refused, not stored
  let maxBytes = 1_000_000_000_000_000;
  let yearNs = 31_536_000_000_000_000;

  func hash(name : Text, value : Blob) : ?Text = if (value.size() == 32) null else ?(name # ": a SHA-256 has 32 bytes");
  func text(name : Text, value : Text, most : Nat) : ?Text {
    if (value.size() > 0 and value.size() <= most) null else ?(name # ": 1 to " # Nat.toText(most) # " characters");
  };
  func first(found : [?Text]) : ?Text {
    for (reason in found.vals()) { if (reason != null) return reason };
    null;
  };

  public func wrongArgs(args : T.JobArgs, now : Nat) : ?Text {
    switch (
      first([
        hash("code_hash", args.code_hash),
        hash("config_hash", args.config_hash),
        text("title", args.title, maxText),
        text("purpose", args.purpose, maxTerm),
        text("recipe", args.recipe, maxTerm),
      ])
    ) { case (?reason) return ?reason; case null {} };
    if (args.key.size() < 16 or args.key.size() > 32) return ?"key: 16 to 32 random bytes, so that a repeated call proposes once";
    if (args.datasets.size() == 0 or args.datasets.size() > maxDatasets) return ?"datasets: 1 to 64";
    for (a in args.datasets.vals()) {
      if (a.dataset_id > maxCount or a.version > maxCount) return ?"datasets: there are not that many";
      if (Array.filter<{ dataset_id : Nat; version : Nat }>(args.datasets, func b = a.dataset_id == b.dataset_id).size() > 1) return ?"datasets: each one once";
    };
    if (args.compute == #Federated) return ?"compute: only central training is offered yet";
    switch (args.epsilon_micros) { case (?n) if (n > maxCount) return ?"epsilon_micros: at most 10^12"; case null {} };
    let t = args.terms;
    if (t.contributors_bps + t.builder_bps + t.worker_bps != 10_000) return ?"terms: contributors_bps, builder_bps and worker_bps sum to 10000";
    if (t.contributors_bps < 1_000) return ?"terms: contributors_bps at least 1000";
    if (t.valuation != "shapley") return ?"terms: valuation must be 'shapley'";
    if (args.budget_e8s > 1_000_000_000_000_000_000) return ?"budget_e8s: at most 10^18";
    if (args.budget_e8s < args.worker_fee_e8s) return ?"budget_e8s: at least worker_fee_e8s";
    let approveBy = Nat64.toNat(args.approve_by_ns);
    let finishBy = Nat64.toNat(args.finish_by_ns);
    if (approveBy <= now) return ?"approve_by_ns: in the future";
    if (finishBy <= approveBy) return ?"finish_by_ns: after approve_by_ns";
    if (finishBy > now + yearNs) return ?"finish_by_ns: within a year";
    null;
  };

  public func wrongResult(args : T.JobArgs, result : T.Result) : ?Text {
    if (result.artifacts.size() == 0 or result.artifacts.size() > maxArtifacts) return ?"artifacts: 1 to 256";
    if (result.metrics.size() > 64) return ?"metrics: at most 64";
    switch (first([hash("transcript_hash", result.transcript_hash), text("utility", result.utility, maxTerm)])) { case (?reason) return ?reason; case null {} };
    for (m in result.metrics.vals()) {
      switch (text("metrics: name", m.name, maxTerm)) { case (?reason) return ?reason; case null {} };
      if (Int.abs(m.value_ppm) > maxCount) return ?"metrics: out of range";
    };
    for (a in result.artifacts.vals()) {
      switch (first([text("artifacts: name", a.name, maxName), hash("artifacts: sha256", a.sha256)])) { case (?reason) return ?reason; case null {} };
      if (a.size_bytes > maxBytes) return ?"artifacts: size_bytes at most 10^15";
      if (Array.filter<T.Artifact>(result.artifacts, func b = b.name == a.name).size() > 1) return ?("artifacts: each name once, and '" # a.name # "' is there twice");
    };
    if (result.manifest_hash != V.hash(Blocks.artifacts(result.artifacts))) return ?"manifest_hash: it is not the hash of these artifacts";
    if (not Array.any<T.Artifact>(result.artifacts, func a = a.sha256 == result.transcript_hash)) return ?"transcript_hash: it is not among the artifacts";
    wrongAttribution(args, result.attribution);
  };

  func wrongAttribution(args : T.JobArgs, attribution : [T.Attribution]) : ?Text {
    if (attribution.size() != args.datasets.size()) return ?"attribution: one entry for each dataset of the job";
    for (d in args.datasets.vals()) {
      if (Array.filter<T.Attribution>(attribution, func a = a.dataset_id == d.dataset_id).size() != 1) return ?("attribution: exactly one entry for dataset " # Nat.toText(d.dataset_id));
    };
    for (a in attribution.vals()) {
      if (a.low_ppm > a.value_ppm or a.value_ppm > a.high_ppm) return ?"attribution: low <= value <= high";
      if (Int.abs(a.low_ppm) > maxCount or Int.abs(a.high_ppm) > maxCount) return ?"attribution: out of range";
    };
    null;
  };
};
