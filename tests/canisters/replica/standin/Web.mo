// A canister that answers as a web server: for the tests of the HTTP gateway. /echo says what was asked, /count counts by an update, /long
// comes in pieces, /broken is no HTTP response that may be sent on, /cut breaks off in the middle.
import Blob "mo:core/Blob";
import Nat "mo:core/Nat";
import Nat16 "mo:core/Nat16";
import Runtime "mo:core/Runtime";
import Text "mo:core/Text";

persistent actor Web {
  type Header = (Text, Text);
  type Request = { method : Text; url : Text; headers : [Header]; body : Blob; certificate_version : ?Nat16 };
  type UpdateRequest = { method : Text; url : Text; headers : [Header]; body : Blob };
  type Token = { at : Nat; of : Text };
  type Piece = { body : Blob; token : ?Token };
  type Strategy = { #Callback : { token : Token; callback : shared query Token -> async ?Piece } };
  type Response = { status_code : Nat16; headers : [Header]; body : Blob; upgrade : ?Bool; streaming_strategy : ?Strategy };

  var count = 0;

  func plain(status : Nat16, text : Text) : Response = {
    status_code = status; headers = [("Content-Type", "text/plain"), ("X-Kept", "yes")]; body = Text.encodeUtf8(text); upgrade = null; streaming_strategy = null;
  };

  func starts(url : Text, path : Text) : Bool = Text.startsWith(url, #text path);

  public query func http_request(asked : Request) : async Response {
    if (starts(asked.url, "/count")) return { plain(200, "") with upgrade = ?true };
    if (starts(asked.url, "/broken/header")) return { plain(200, "") with headers = [("X-Bad", "a\r\nSet-Cookie: stolen=1")] };
    if (starts(asked.url, "/broken/status")) return plain(99, "");
    if (starts(asked.url, "/trap")) Runtime.trap("on purpose");
    if (starts(asked.url, "/long") or starts(asked.url, "/cut")) {
      return { plain(200, "0 ") with streaming_strategy = ?#Callback { token = { at = 1; of = asked.url }; callback = piece } };
    };
    if (not starts(asked.url, "/echo")) return plain(404, "nothing here");
    let version = switch (asked.certificate_version) { case (?v) Nat16.toText(v); case null "none" };
    var said = asked.method # " " # asked.url # " v" # version # " ";
    for ((name, value) in asked.headers.vals()) if (name == "x-mine") said #= value;
    plain(200, said # " " # Nat.toText(asked.body.size()));
  };

  public query func piece(token : Token) : async ?Piece {
    if (token.at == 3 and starts(token.of, "/cut")) Runtime.trap("no more");
    let next = if (token.at == 4) null else ?{ token with at = token.at + 1 };
    ?{ body = Text.encodeUtf8(Nat.toText(token.at) # " "); token = next };
  };

  public func http_request_update(asked : UpdateRequest) : async Response {
    count += 1;
    if (starts(asked.url, "/count/trap")) Runtime.trap("on purpose");
    plain(201, asked.method # " " # Nat.toText(count) # " " # Nat.toText(asked.body.size()));
  };
};
