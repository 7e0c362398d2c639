//! OpenAiChat (being built).
use super::*;
/// The dialect.
#[derive(Debug)]
pub struct OpenAiChat;
impl Dialect for OpenAiChat {
    fn id(&self) -> DialectId {
        DialectId::OpenAiChat
    }
    fn path(&self, _: &str, _: bool) -> String {
        String::new()
    }
    fn request_headers(&self) -> &'static [&'static str] {
        &[]
    }
    fn response_headers(&self) -> &'static [&'static str] {
        &[]
    }
    fn request_id_header(&self) -> &'static str {
        "x-request-id"
    }
    fn decode_request(&self, _: RequestHead<'_>, _: &[u8]) -> Result<ChatRequest> {
        Ok(ChatRequest::default())
    }
    fn encode_request(&self, _: &ChatRequest, _: Target<'_>, _: &mut Warnings) -> Result<EncodedRequest> {
        Ok(EncodedRequest::default())
    }
    fn decode_response(&self, _: &[u8]) -> Result<ChatResponse> {
        Ok(ChatResponse::default())
    }
    fn encode_response(&self, _: &ChatResponse, _: &Reply, _: &mut Warnings) -> Bytes {
        Bytes::new()
    }
    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        unimplemented!()
    }
    fn stream_encoder(&self, _: Reply) -> Box<dyn StreamEncoder> {
        unimplemented!()
    }
    fn stream_sniffer(&self) -> Box<dyn StreamSniffer> {
        unimplemented!()
    }
    fn usage(&self, _: &[u8]) -> Option<Usage> {
        None
    }
    fn decode_error(&self, upstream: Upstream, _: &HeaderMap) -> Error {
        Error::new(crate::ErrorKind::UpstreamInvalid, "").upstream(upstream)
    }
    fn encode_error(&self, _: &Error, _: &str) -> Bytes {
        Bytes::new()
    }
    fn encode_stream_error(&self, _: &Error, _: &Reply, _: bool) -> Vec<u8> {
        Vec::new()
    }
}
