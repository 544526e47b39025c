/// A cooperative as its log has it: the fields of every block, and the hash of a manifest. `docs/log.md` is the table.
import T "Types";
import V "../lib/Value";

module {
  public func holders(hs : [T.Holder]) : V.Value = V.list<T.Holder>(hs, func h = #Map([("owner", V.principal(h.owner)), ("shares", #Nat(h.shares))]));

  public func parameters(p : T.Parameters) : V.Value = #Map([
    ("price_e8s", #Nat(p.price_e8s)),
    ("treasury_bps", #Nat(p.treasury_bps)),
    ("voting_period_ns", V.nat64(p.voting_period_ns)),
    ("quiet_period_ns", V.nat64(p.quiet_period_ns)),
  ]);

  public func tensors(ts : [T.TensorBlob]) : V.Value = V.list<T.TensorBlob>(
    ts,
    func t = #Map([("name", #Text(t.name)), ("dtype", #Text(t.dtype)), ("shape", V.list<Nat64>(t.shape, V.nat64)), ("data", #Blob(t.data))]),
  );

  public func ballots(bs : [T.Ballot]) : V.Value = V.list<T.Ballot>(bs, func b = #Map([("owner", V.principal(b.owner)), ("shares", #Nat(b.shares))]));

  public func parts(ps : [T.Part]) : V.Value = V.list<T.Part>(ps, func p = #Map([("owner", V.principal(p.owner)), ("amount_e8s", #Nat(p.amount_e8s))]));

  func chunks(cs : [T.ChunkInfo]) : V.Value = V.list<T.ChunkInfo>(cs, func c = #Map([("sha256", #Blob(c.sha256)), ("size_bytes", #Nat(c.size_bytes))]));

  public func manifest(m : T.ReleaseManifest) : V.Value = #Map([
    ("job_id", #Nat(m.job_id)),
    ("title", #Text(m.title)),
    ("wasm_sha256", #Blob(m.wasm_sha256)),
    ("wasm_chunks", chunks(m.wasm_chunks)),
    ("weight_chunks", chunks(m.weight_chunks)),
    ("onnx_sha256", #Blob(m.onnx_sha256)),
    ("transcript_hash", #Blob(m.transcript_hash)),
    ("card_hash", #Blob(m.card_hash)),
    ("metrics", V.list<T.Metric>(m.metrics, func x = #Map([("name", #Text(x.name)), ("value_ppm", #Int(x.value_ppm))]))),
    ("equality", V.list<T.EqualityVector>(m.equality, func e = #Map([("inputs", tensors(e.inputs)), ("outputs", tensors(e.outputs))]))),
    ("tolerance_e9", #Nat(m.tolerance_e9)),
    ("estimated_instructions", V.nat64(m.estimated_instructions)),
  ]);

  public func kind(k : T.ProposalKind) : V.Value = switch k {
    case (#Release m) #Map([("Release", manifest(m))]);
    case (#Parameters p) #Map([("Parameters", parameters(p))]);
    case (#TreasuryTransfer({ to; amount_e8s })) #Map([("TreasuryTransfer", #Map([("to", V.principal(to)), ("amount_e8s", #Nat amount_e8s)]))]);
    case (#Upgrade({ module_hash })) #Map([("Upgrade", #Map([("module_hash", #Blob module_hash)]))]);
  };

  public let blockTypes : [Text] = [
    "founded", "inference_created", "proposal_submitted", "vote_cast", "deadline_extended", "proposal_adopted", "proposal_rejected", "release_staged",
    "release_installing", "release_live", "release_superseded", "proposal_failed", "proposal_executed", "parameters_changed", "upgrade_asked", "inference_paid",
    "inference_refunded", "revenue_claimed", "treasury_paid", "shares_transferred",
  ];
};
