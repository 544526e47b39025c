/// An append-only, hash-chained log of blocks with a certified tip: the record of everything a canister decided. Source: ICRC-3.
import Prim "mo:prim";
import Array "mo:core/Array";
import Blob "mo:core/Blob";
import CertifiedData "mo:core/CertifiedData";
import List "mo:core/List";
import Text "mo:core/Text";
import Sha256 "Sha256";
import Value "Value";

module {
  public type Value = Value.Value;
  public type GetBlocksArgs = [{ start : Nat; length : Nat }];
  public type GetBlocksResult = {
    log_length : Nat;
    blocks : [{ id : Nat; block : Value }];
    archived_blocks : [{ args : GetBlocksArgs; callback : shared query GetBlocksArgs -> async GetBlocksResult }];
  };
  public type DataCertificate = { certificate : Blob; hash_tree : Blob };
  public type SupportedBlockType = { block_type : Text; url : Text };

  public type Log = { blocks : List.List<Value>; var tip : ?Blob };

  // In one answer, so that it stays below the limit of a reply. A caller goes on behind the last block that came.
  let maxBlocks = 100;
  let maxBytes = 1_500_000;

  public func empty() : Log = { blocks = List.empty<Value>(); var tip = null };

  public func size(log : Log) : Nat = List.size(log.blocks);

  /// Append a block and certify the new tip. Returns its index.
  public func append(log : Log, now : Nat, btype : Text, fields : [(Text, ?Value)]) : Nat {
    appendBlock(log, [("btype", #Text btype), ("ts", #Nat now), ("tx", Value.record(fields))]);
  };

  /// Append a block whose form is a standard's own.
  public func appendBlock(log : Log, block : [(Text, Value)]) : Nat {
    let chained : Value = #Map(switch (log.tip) { case (?hash) Array.concat<(Text, Value)>([("phash", #Blob hash)], block); case null block });
    let index = List.size(log.blocks);
    List.add(log.blocks, chained);
    log.tip := ?Value.hash(chained);
    certify(log);
    index;
  };

  /// Also after each upgrade, which clears what was certified.
  public func certify(log : Log) {
    switch (log.tip) {
      case (?hash) CertifiedData.set(root(hash, List.size(log.blocks) - 1 : Nat));
      case null {};
    };
  };

  public func getBlocks(log : Log, args : GetBlocksArgs) : GetBlocksResult {
    let found = List.empty<{ id : Nat; block : Value }>();
    var bytes = 0;
    label ranges for ({ start; length } in args.vals()) {
      var id = start;
      while (id < start + length and id < List.size(log.blocks)) {
        let block = List.at(log.blocks, id);
        bytes += Value.sizeBytes(block);
        if (List.size(found) >= maxBlocks or (bytes > maxBytes and List.size(found) > 0)) break ranges;
        List.add(found, { id; block });
        id += 1;
      };
    };
    { log_length = List.size(log.blocks); blocks = List.toArray(found); archived_blocks = [] };
  };

  public func tipCertificate(log : Log) : ?DataCertificate {
    switch (CertifiedData.getCertificate(), log.tip) {
      case (?certificate, ?hash) ?{ certificate; hash_tree = tree(hash, List.size(log.blocks) - 1 : Nat) };
      case _ null;
    };
  };

  // --- the two-leaf hash tree of ICRC-3 ---

  func domain(name : Text) : Blob = Blob.fromArray(Array.concat<Nat8>([Prim.natToNat8(name.size())], Blob.toArray(Text.encodeUtf8(name))));
  func leafHash(value : Blob) : Blob = Sha256.blobs([domain("ic-hashtree-leaf"), value]);
  func labeledHash(name : Text, child : Blob) : Blob = Sha256.blobs([domain("ic-hashtree-labeled"), Text.encodeUtf8(name), child]);

  func root(tip : Blob, index : Nat) : Blob {
    Sha256.blobs([
      domain("ic-hashtree-fork"),
      labeledHash("last_block_hash", leafHash(tip)),
      labeledHash("last_block_index", leafHash(Value.leb128(index))),
    ]);
  };

  // CBOR by hand: [1, [2, "last_block_hash", [3, tip]], [2, "last_block_index", [3, index]]], self-described.
  func tree(tip : Blob, index : Nat) : Blob {
    func bytes(data : Blob) : [Nat8] {
      let head : [Nat8] = if (data.size() < 24) [Prim.natToNat8(0x40 + data.size())] else [0x58, Prim.natToNat8(data.size())];
      Array.concat<Nat8>(head, Blob.toArray(data));
    };
    func labeled(name : Text, value : Blob) : [Nat8] {
      Array.flatten<Nat8>([[0x83, 0x02], bytes(Text.encodeUtf8(name)), [0x82, 0x03], bytes(value)]);
    };
    Blob.fromArray(
      Array.flatten<Nat8>([
        [0xd9, 0xd9, 0xf7, 0x83, 0x01],
        labeled("last_block_hash", tip),
        labeled("last_block_index", Value.leb128(index)),
      ])
    );
  };
};
