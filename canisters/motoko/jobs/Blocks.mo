/// Jobs as the log has them: the fields of every block, and the hash of a list of artifacts. `docs/log.md` is the table.
import Principal "mo:core/Principal";
import T "Types";
import V "../lib/Value";

module {
  public func artifacts(artifacts : [T.Artifact]) : V.Value = V.list<T.Artifact>(
    artifacts,
    func a = #Map([("name", #Text(a.name)), ("sha256", #Blob(a.sha256)), ("size_bytes", #Nat(a.size_bytes))]),
  );

  public func args(args : T.JobArgs) : V.Value = V.record([
    ("key", ?#Blob(args.key)),
    ("title", ?#Text(args.title)),
    ("purpose", ?#Text(args.purpose)),
    ("recipe", ?#Text(args.recipe)),
    ("datasets", ?V.list<{ dataset_id : Nat; version : Nat }>(args.datasets, func d = #Map([("dataset_id", #Nat(d.dataset_id)), ("version", #Nat(d.version))]))),
    ("code_hash", ?#Blob(args.code_hash)),
    ("config_hash", ?#Blob(args.config_hash)),
    ("seed", ?V.nat64(args.seed)),
    ("compute", ?#Text(switch (args.compute) { case (#Central) "Central"; case (#Federated) "Federated" })),
    ("epsilon_micros", V.opt<Nat>(args.epsilon_micros, func n = #Nat n)),
    (
      "terms",
      ?#Map([
        ("contributors_bps", #Nat(args.terms.contributors_bps)),
        ("builder_bps", #Nat(args.terms.builder_bps)),
        ("worker_bps", #Nat(args.terms.worker_bps)),
        ("valuation", #Text(args.terms.valuation)),
      ]),
    ),
    ("worker_fee_e8s", ?#Nat(args.worker_fee_e8s)),
    ("budget_e8s", ?#Nat(args.budget_e8s)),
    ("worker", V.opt<Principal>(args.worker, V.principal)),
    ("approve_by_ns", ?V.nat64(args.approve_by_ns)),
    ("finish_by_ns", ?V.nat64(args.finish_by_ns)),
  ]);

  public func approval(a : T.Approval) : V.Value = #Map([
    ("dataset_id", #Nat(a.dataset_id)),
    ("version", #Nat(a.version)),
    ("owner", V.principal(a.owner)),
    ("policy_version", #Nat(a.policy_version)),
    ("price_e8s", #Nat(a.price_e8s)),
    (
      "state",
      switch (a.state) {
        case (#Pending) #Text "Pending";
        case (#Approved({ by; workers })) #Map([("Approved", #Map([("by", decidedBy(by)), ("workers", V.principals(workers))]))]);
        case (#Denied({ by; reason })) #Map([("Denied", #Map([("by", decidedBy(by)), ("reason", #Text reason)]))]);
        case (#Revoked({ reason })) #Map([("Revoked", #Map([("reason", #Text reason)]))]);
      },
    ),
  ]);

  func decidedBy(by : T.DecidedBy) : V.Value = #Text(switch by { case (#Policy) "Policy"; case (#Owner) "Owner" });

  public func result(r : T.Result) : V.Value = #Map([
    ("metrics", V.list<T.Metric>(r.metrics, func m = #Map([("name", #Text(m.name)), ("value_ppm", #Int(m.value_ppm))]))),
    ("artifacts", artifacts(r.artifacts)),
    ("manifest_hash", #Blob(r.manifest_hash)),
    ("transcript_hash", #Blob(r.transcript_hash)),
    ("utility", #Text(r.utility)),
    (
      "attribution",
      V.list<T.Attribution>(
        r.attribution,
        func a = #Map([("dataset_id", #Nat(a.dataset_id)), ("value_ppm", #Int(a.value_ppm)), ("low_ppm", #Int(a.low_ppm)), ("high_ppm", #Int(a.high_ppm))]),
      ),
    ),
  ]);

  public func share(s : T.Share) : V.Value = #Map([
    ("owner", V.principal(s.owner)),
    ("role", switch (s.role) { case (#Contributor({ dataset_id })) #Map([("Contributor", #Map([("dataset_id", #Nat dataset_id)]))]); case (#Builder) #Text "Builder"; case (#Worker) #Text "Worker" }),
    ("share_bps", #Nat(s.share_bps)),
  ]);

  public func payout(p : T.Payout) : V.Value = #Map([
    ("owner", V.principal(p.owner)),
    ("kind", switch (p.kind) { case (#Price({ dataset_id })) #Map([("Price", #Map([("dataset_id", #Nat dataset_id)]))]); case (#WorkerFee) #Text "WorkerFee"; case (#Refund) #Text "Refund" }),
    ("amount_e8s", #Nat(p.amount_e8s)),
  ]);

  public let blockTypes : [Text] = [
    "worker_registered", "job_proposed", "job_approved", "job_denied", "dataset_approved", "dataset_denied", "approval_revoked", "job_funded", "job_claimed",
    "job_started", "job_submitted", "job_settled", "job_failed", "job_cancelled", "job_expired", "payout_claimed",
  ];
};
