// A canister that serves what it was given, with a certificate: the tests of the gateway decide what its tree and headers hold.
import Array "mo:core/Array";
import Blob "mo:core/Blob";
import CertifiedData "mo:core/CertifiedData";
import Nat8 "mo:core/Nat8";
import Text "mo:core/Text";

persistent actor {
  type Header = (Text, Text);
  type Request = { method : Text; url : Text; headers : [Header]; body : Blob; certificate_version : ?Nat16 };
  type Piece = { body : Blob; token : ?Nat };
  type Strategy = { #Callback : { token : Nat; callback : shared query Nat -> async ?Piece } };
  type Response = { status_code : Nat16; headers : [Header]; body : Blob; upgrade : ?Bool; streaming_strategy : ?Strategy };
  type Page = { status_code : Nat16; headers : [Header]; body : Blob; rest : ?Blob; witness : Text };

  var page : Page = { status_code = 200; headers = []; body = ""; rest = null; witness = "" };

  /// `root`: 32 bytes. `shown.witness`: what stands in IC-Certificate beside the certificate.
  public func serve(root : Blob, shown : Page) : async () {
    CertifiedData.set(root);
    page := shown;
  };

  public query func http_request(_ : Request) : async Response {
    let certificate = switch (CertifiedData.getCertificate()) { case (?found) found; case null ("" : Blob) };
    let header = ("IC-Certificate", "certificate=:" # base64(certificate) # ":, " # page.witness);
    let streaming_strategy = switch (page.rest) { case null null; case (?_) ?#Callback { token = 1; callback = piece } };
    { status_code = page.status_code; headers = Array.concat([header], page.headers); body = page.body; upgrade = null; streaming_strategy };
  };

  public query func piece(_ : Nat) : async ?Piece {
    switch (page.rest) { case null null; case (?body) ?{ body; token = null } };
  };

  func base64(data : Blob) : Text {
    let alphabet = Text.toArray("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    let bytes = Blob.toArray(data);
    func byte(at : Nat) : Nat = if (at < bytes.size()) Nat8.toNat(bytes[at]) else 0;
    var text = "";
    var at = 0;
    while (at < bytes.size()) {
      let word = byte(at) * 65_536 + byte(at + 1) * 256 + byte(at + 2);
      text #= Text.fromChar(alphabet[word / 262_144]) # Text.fromChar(alphabet[word / 4_096 % 64]);
      text #= if (at + 1 < bytes.size()) Text.fromChar(alphabet[word / 64 % 64]) else "=";
      text #= if (at + 2 < bytes.size()) Text.fromChar(alphabet[word % 64]) else "=";
      at += 3;
    };
    text;
  };
};
