//! The built-in providers, one row each.
//!
//! A row holds facts, each from the page named in its `source`: where the provider is, in which
//! dialects (most native first), the variable in which its own documentation keeps the key, and what
//! it is known to do differently. What is not documented is not in the row. A provider whose address
//! holds an account, a region or a deployment has no row: it is configured (see `docs/add-a-provider.md`).
//!
//! Last checked as a whole: November 2026.

mod row;
#[cfg(test)]
mod tests;

use row::{hosted, local, names, speaks};

use super::{Credential, MaxTokensField, Provider, Quirks};

/// The built-in provider of that name or [alias](ALIASES).
pub fn find(name: &str) -> Option<&'static Provider> {
    let name = canonical(name);
    PROVIDERS.iter().find(|provider| provider.name == name)
}

/// The name in the catalog of a provider that is also known under another.
pub fn canonical(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name)
}

/// Other names under which people look for a provider. A request and a target may use them; a section
/// of the configuration does not.
pub static ALIASES: &[(&str, &str)] = &[
    ("alibaba", "dashscope"),
    ("ark", "volcengine"),
    ("bigmodel", "zhipu"),
    ("claude", "anthropic"),
    ("fireworks-ai", "fireworks"),
    ("github-models", "github"),
    ("google", "gemini"),
    ("hf", "huggingface"),
    ("kimi", "moonshot"),
    ("lm-studio", "lmstudio"),
    ("nvidia-nim", "nvidia"),
    ("together-ai", "together"),
    ("togetherai", "together"),
    ("vercel-ai-gateway", "vercel"),
    ("x-ai", "xai"),
    ("z-ai", "zai"),
];

const NONE: Quirks = Quirks::NONE;

/// Most tokens go into `max_completion_tokens`.
const COMPLETION_TOKENS: Quirks = Quirks { max_tokens: MaxTokensField::MaxCompletionTokens, ..NONE };

/// One answer a request.
const ONE_ANSWER: Quirks = Quirks { no_candidates: true, ..NONE };

/// `top_k` beside OpenAI's sampling parameters.
const TOP_K: Quirks = Quirks { top_k: true, ..NONE };

/// GLM: JSON mode without a schema; earlier thoughts come back with tool calls.
const GLM: Quirks = Quirks { no_json_schema: true, reasoning_content: true, ..NONE };

/// Every built-in provider: the model makers with a dialect of their own, then the others by name, then local servers.
#[rustfmt::skip]
pub static PROVIDERS: &[Provider] = &[
    // Served in process; there is nothing to reach.
    hosted("demo", "Edgeway demo", &[], &[], "https://github.com/edgeway/edgeway/blob/main/docs/demo.md").signed(Credential::None),
    hosted("openai", "OpenAI", speaks![OpenAiChat "https://api.openai.com/v1"], names!["OPENAI_API_KEY"],
        "https://platform.openai.com/docs/api-reference/chat")
        .owning(names!["gpt-", "chatgpt-", "o1", "o3", "o4"])
        .with(Quirks { allowed_tools: true, beta_headers: true, ..COMPLETION_TOKENS }),
    hosted("anthropic", "Anthropic", speaks![AnthropicMessages "https://api.anthropic.com/v1"], names!["ANTHROPIC_API_KEY"],
        "https://platform.claude.com/docs/en/api/messages")
        .owning(names!["claude-"]).with(Quirks { beta_headers: true, ..NONE }),
    hosted("gemini", "Google Gemini", speaks![Gemini "https://generativelanguage.googleapis.com/v1beta"],
        names!["GEMINI_API_KEY", "GOOGLE_API_KEY"], "https://ai.google.dev/api/generate-content")
        .owning(names!["gemini-"]),

    hosted("ai21", "AI21 Labs", speaks![OpenAiChat "https://api.ai21.com/studio/v1"], names!["AI21_API_KEY"],
        "https://docs.ai21.com/reference/jamba-1-6-api-ref").owning(names!["jamba-"]),
    hosted("aihubmix", "AIHubMix", speaks![OpenAiChat "https://aihubmix.com/v1"], names!["AIHUBMIX_API_KEY"],
        "https://docs.aihubmix.com"),
    hosted("aimlapi", "AI/ML API", speaks![OpenAiChat "https://api.aimlapi.com/v1"], names!["AIMLAPI_KEY", "AIML_API_KEY"],
        "https://docs.aimlapi.com"),
    hosted("arcee", "Arcee AI", speaks![OpenAiChat "https://api.arcee.ai/api/v1"], names!["ARCEE_API_KEY"],
        "https://docs.arcee.ai/api-reference/your-first-api-call").owning(names!["trinity-"]),
    hosted("avian", "Avian", speaks![OpenAiChat "https://api.avian.io/v1"], names!["AVIAN_API_KEY"], "https://avian.io/docs/"),
    hosted("baichuan", "Baichuan", speaks![OpenAiChat "https://api.baichuan-ai.com/v1"], names!["BAICHUAN_API_KEY"],
        "https://platform.baichuan-ai.com/docs/api").owning(names!["Baichuan"]),
    hosted("baseten", "Baseten",
        speaks![OpenAiChat "https://inference.baseten.co/v1", AnthropicMessages "https://inference.baseten.co/v1"],
        names!["BASETEN_API_KEY"], "https://docs.baseten.co/inference/model-apis/overview").bearer(),
    hosted("byteplus", "BytePlus ModelArk", speaks![OpenAiChat "https://ark.ap-southeast.bytepluses.com/api/v3"],
        names!["ARK_API_KEY"], "https://docs.byteplus.com/en/docs/ModelArk/1330626"),
    hosted("cerebras", "Cerebras", speaks![OpenAiChat "https://api.cerebras.ai/v1"], names!["CEREBRAS_API_KEY"],
        "https://inference-docs.cerebras.ai/resources/openai").with(COMPLETION_TOKENS),
    hosted("chutes", "Chutes", speaks![OpenAiChat "https://llm.chutes.ai/v1"], names!["CHUTES_API_KEY"], "https://chutes.ai/llms.txt"),
    hosted("clarifai", "Clarifai", speaks![OpenAiChat "https://api.clarifai.com/v2/ext/openai/v1"], names!["CLARIFAI_PAT"],
        "https://docs.clarifai.com/compute/inference/open-ai/"),
    hosted("cohere", "Cohere", speaks![OpenAiChat "https://api.cohere.ai/compatibility/v1"], names!["CO_API_KEY", "COHERE_API_KEY"],
        "https://docs.cohere.com/docs/compatibility-api")
        .owning(names!["command-", "c4ai-"])
        .with(Quirks { no_parallel_tool_calls: true, ..ONE_ANSWER }),
    hosted("cortecs", "Cortecs", speaks![OpenAiChat "https://api.cortecs.ai/v1"], names!["CORTECS_API_KEY"],
        "https://docs.cortecs.ai"),
    hosted("crusoe", "Crusoe", speaks![OpenAiChat "https://api.inference.crusoecloud.com/v1"], names!["CRUSOE_API_KEY"],
        "https://docs.crusoecloud.com/managed-inference/overview"),
    hosted("dashscope", "Alibaba Model Studio (China)",
        speaks![OpenAiChat "https://dashscope.aliyuncs.com/compatible-mode/v1", AnthropicMessages "https://dashscope.aliyuncs.com/apps/anthropic/v1"],
        names!["DASHSCOPE_API_KEY"], "https://help.aliyun.com/zh/model-studio/base-url").bearer().with(TOP_K),
    hosted("dashscope-intl", "Alibaba Model Studio (International)",
        speaks![OpenAiChat "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", AnthropicMessages "https://dashscope-intl.aliyuncs.com/apps/anthropic/v1"],
        names!["DASHSCOPE_API_KEY"], "https://www.alibabacloud.com/help/en/model-studio/anthropic-api-messages").bearer()
        .owning(names!["qwen-max", "qwen-plus", "qwen-flash", "qwen-turbo", "qwen3-max"]).with(TOP_K),
    hosted("deepinfra", "DeepInfra",
        speaks![OpenAiChat "https://api.deepinfra.com/v1/openai", AnthropicMessages "https://api.deepinfra.com/anthropic/v1"],
        names!["DEEPINFRA_TOKEN", "DEEPINFRA_API_KEY"], "https://docs.deepinfra.com/chat/overview").bearer(),
    hosted("deepseek", "DeepSeek",
        speaks![OpenAiChat "https://api.deepseek.com", AnthropicMessages "https://api.deepseek.com/anthropic/v1"],
        names!["DEEPSEEK_API_KEY"], "https://api-docs.deepseek.com/guides/anthropic_api")
        .owning(names!["deepseek-chat", "deepseek-reasoner", "deepseek-v", "deepseek-flash"])
        .with(Quirks { no_developer_role: true, no_json_schema: true, reasoning_content: true, ..NONE }),
    hosted("digitalocean", "DigitalOcean",
        speaks![OpenAiChat "https://inference.do-ai.run/v1", AnthropicMessages "https://inference.do-ai.run/v1"],
        names!["MODEL_ACCESS_KEY", "DIGITALOCEAN_ACCESS_TOKEN"], "https://docs.digitalocean.com/products/inference/").bearer()
        .with(COMPLETION_TOKENS),
    hosted("edenai", "Eden AI", speaks![OpenAiChat "https://api.edenai.run/v3"], names!["EDENAI_API_KEY"], "https://docs.edenai.co"),
    hosted("featherless", "Featherless AI", speaks![OpenAiChat "https://api.featherless.ai/v1"], names!["FEATHERLESS_API_KEY"],
        "https://featherless.ai/docs/quickstart-guide"),
    hosted("fireworks", "Fireworks AI",
        speaks![OpenAiChat "https://api.fireworks.ai/inference/v1", AnthropicMessages "https://api.fireworks.ai/inference/v1"],
        names!["FIREWORKS_API_KEY"], "https://docs.fireworks.ai/api-reference/anthropic-messages").bearer().with(TOP_K),
    hosted("friendli", "Friendli", speaks![OpenAiChat "https://api.friendli.ai/serverless/v1"], names!["FRIENDLI_TOKEN"],
        "https://friendli.ai/docs/guides/serverless_endpoints/introduction"),
    // Its documentation keeps the token in `GITHUB_TOKEN`, which every CI job has for other ends: that one must not turn a provider on.
    hosted("github", "GitHub Models", speaks![OpenAiChat "https://models.github.ai/inference"], names!["GITHUB_MODELS_TOKEN"],
        "https://docs.github.com/en/rest/models/inference").noted("closed by GitHub on 30 July 2026"),
    hosted("gmi", "GMI Cloud", speaks![OpenAiChat "https://api.gmi-serving.com/v1"], names!["GMI_API_KEY", "GMICLOUD_API_KEY"],
        "https://docs.gmicloud.ai/inference-engine/api-reference/llm-api-reference"),
    hosted("groq", "Groq", speaks![OpenAiChat "https://api.groq.com/openai/v1"], names!["GROQ_API_KEY"],
        "https://console.groq.com/docs/openai").with(Quirks { no_logprobs: true, ..ONE_ANSWER }),
    hosted("helicone", "Helicone AI Gateway", speaks![OpenAiChat "https://ai-gateway.helicone.ai/v1"], names!["HELICONE_API_KEY"],
        "https://docs.helicone.ai/gateway/overview"),
    hosted("huggingface", "Hugging Face",
        speaks![OpenAiChat "https://router.huggingface.co/v1", AnthropicMessages "https://router.huggingface.co/v1"],
        names!["HF_TOKEN"], "https://huggingface.co/docs/inference-providers/integrations/claude-code").bearer(),
    hosted("hunyuan", "Tencent Hunyuan",
        speaks![OpenAiChat "https://api.hunyuan.cloud.tencent.com/v1", AnthropicMessages "https://api.hunyuan.cloud.tencent.com/anthropic/v1"],
        names!["HUNYUAN_API_KEY"], "https://cloud.tencent.com/document/product/1729/111007").owning(names!["hunyuan-"]),
    hosted("hyperbolic", "Hyperbolic", speaks![OpenAiChat "https://api.hyperbolic.xyz/v1"], names!["HYPERBOLIC_API_KEY"],
        "https://www.hyperbolic.ai/docs/inference/overview"),
    hosted("inception", "Inception", speaks![OpenAiChat "https://api.inceptionlabs.ai/v1"], names!["INCEPTION_API_KEY"],
        "https://docs.inceptionlabs.ai/get-started/models").owning(names!["mercury"]),
    hosted("inference-net", "Inference.net",
        speaks![OpenAiChat "https://api.inference.net/v1", AnthropicMessages "https://api.inference.net/v1"],
        names!["INFERENCE_API_KEY"], "https://docs.inference.net/api/api-quickstart").bearer(),
    hosted("io-net", "io.net Intelligence", speaks![OpenAiChat "https://api.intelligence.io.solutions/api/v1"],
        names!["IOINTELLIGENCE_API_KEY"], "https://io.net/docs/guides/intelligence/io-intelligence"),
    hosted("llmgateway", "LLM Gateway", speaks![OpenAiChat "https://api.llmgateway.io/v1"], names!["LLMGATEWAY_API_KEY"],
        "https://llmgateway.io/docs"),
    hosted("longcat", "LongCat",
        speaks![OpenAiChat "https://api.longcat.chat/openai/v1", AnthropicMessages "https://api.longcat.chat/anthropic/v1"],
        names!["LONGCAT_API_KEY"], "https://longcat.chat/platform/docs/").bearer().owning(names!["LongCat-"]),
    hosted("meta", "Meta", speaks![OpenAiChat "https://api.meta.ai/v1"], names!["META_MODEL_API_KEY", "META_API_KEY"],
        "https://dev.meta.ai/docs"),
    hosted("minimax", "MiniMax",
        speaks![AnthropicMessages "https://api.minimax.io/anthropic/v1", OpenAiChat "https://api.minimax.io/v1"],
        names!["MINIMAX_API_KEY"], "https://platform.minimax.io/docs/api-reference/text-anthropic-api").bearer()
        .owning(names!["MiniMax-"]).with(Quirks { max_tokens: MaxTokensField::MaxCompletionTokens, ..ONE_ANSWER }),
    hosted("minimax-cn", "MiniMax (China)",
        speaks![AnthropicMessages "https://api.minimax.cn/anthropic/v1", OpenAiChat "https://api.minimax.cn/v1"],
        names!["MINIMAX_API_KEY"], "https://platform.minimax.cn/docs/api-reference/text-chat-anthropic").bearer()
        .with(Quirks { max_tokens: MaxTokensField::MaxCompletionTokens, ..ONE_ANSWER }),
    hosted("mistral", "Mistral AI", speaks![OpenAiChat "https://api.mistral.ai/v1"], names!["MISTRAL_API_KEY"],
        "https://docs.mistral.ai/api/endpoint/chat")
        .owning(names!["mistral-", "ministral-", "codestral-", "magistral-", "devstral-", "pixtral-", "open-mistral-", "open-mixtral-"])
        .with(Quirks { no_stream_options: true, no_developer_role: true, tool_choice_any: true, short_tool_ids: true, random_seed: true, ..TOP_K }),
    hosted("modelscope", "ModelScope",
        speaks![OpenAiChat "https://api-inference.modelscope.cn/v1", AnthropicMessages "https://api-inference.modelscope.cn/v1"],
        names!["MODELSCOPE_API_KEY"], "https://modelscope.cn/docs/model-service/API-Inference/intro"),
    hosted("moonshot", "Moonshot AI",
        speaks![OpenAiChat "https://api.moonshot.ai/v1", AnthropicMessages "https://api.moonshot.ai/anthropic/v1"],
        names!["MOONSHOT_API_KEY"], "https://platform.kimi.ai/docs/api/chat").bearer().owning(names!["kimi-", "moonshot-"])
        .with(Quirks { reasoning_content: true, ..COMPLETION_TOKENS }),
    hosted("moonshot-cn", "Moonshot AI (China)",
        speaks![OpenAiChat "https://api.moonshot.cn/v1", AnthropicMessages "https://api.moonshot.cn/anthropic/v1"],
        names!["MOONSHOT_API_KEY"], "https://platform.kimi.com/docs/guide/claude-code-kimi").bearer()
        .with(Quirks { reasoning_content: true, ..COMPLETION_TOKENS }),
    hosted("morph", "Morph", speaks![OpenAiChat "https://api.morphllm.com/v1"], names!["MORPH_API_KEY"],
        "https://docs.morphllm.com/api-reference/introduction").owning(names!["morph-"]),
    hosted("nano-gpt", "NanoGPT", speaks![OpenAiChat "https://nano-gpt.com/api/v1"], names!["NANOGPT_API_KEY"],
        "https://docs.nano-gpt.com"),
    hosted("nearai", "NEAR AI", speaks![OpenAiChat "https://cloud-api.near.ai/v1"], names!["NEARAI_API_KEY"], "https://docs.near.ai/"),
    hosted("nebius", "Nebius Token Factory", speaks![OpenAiChat "https://api.tokenfactory.nebius.com/v1"], names!["NEBIUS_API_KEY"],
        "https://docs.tokenfactory.nebius.com/api-reference/inference/create-chat-completion"),
    hosted("nova", "Amazon Nova", speaks![OpenAiChat "https://api.nova.amazon.com/v1"], names!["NOVA_API_KEY"],
        "https://nova.amazon.com/dev/documentation"),
    hosted("novita", "Novita AI",
        speaks![OpenAiChat "https://api.novita.ai/openai/v1", AnthropicMessages "https://api.novita.ai/anthropic/v1"],
        names!["NOVITA_API_KEY"], "https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion").bearer().with(TOP_K),
    hosted("nscale", "Nscale", speaks![OpenAiChat "https://inference.api.nscale.com/v1"], names!["NSCALE_SERVICE_TOKEN", "NSCALE_API_KEY"],
        "https://docs.nscale.com/api-reference/inference/create-chat-completion"),
    hosted("nvidia", "NVIDIA NIM", speaks![OpenAiChat "https://integrate.api.nvidia.com/v1"], names!["NVIDIA_API_KEY"],
        "https://docs.api.nvidia.com/nim/reference/llm-apis"),
    hosted("ollama-cloud", "Ollama Cloud", speaks![OpenAiChat "https://ollama.com/v1"], names!["OLLAMA_API_KEY"],
        "https://docs.ollama.com/cloud").with(ONE_ANSWER),
    hosted("openrouter", "OpenRouter",
        speaks![OpenAiChat "https://openrouter.ai/api/v1", AnthropicMessages "https://openrouter.ai/api/v1"],
        names!["OPENROUTER_API_KEY"], "https://openrouter.ai/docs/api/api-reference/anthropic-messages/create-messages").bearer()
        .with(Quirks { cache_control: true, reasoning_details: true, ..TOP_K }),
    hosted("ovhcloud", "OVHcloud AI Endpoints", speaks![OpenAiChat "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1"],
        names!["OVH_AI_ENDPOINTS_ACCESS_TOKEN", "OVHCLOUD_API_KEY"],
        "https://help.ovhcloud.com/csm/en-public-cloud-ai-endpoints-getting-started"),
    hosted("parasail", "Parasail", speaks![OpenAiChat "https://api.parasail.io/v1"], names!["PARASAIL_API_KEY"],
        "https://docs.parasail.io/parasail-docs/api-reference/chat-completions").owning(names!["parasail-"]).with(TOP_K),
    hosted("perplexity", "Perplexity", speaks![OpenAiChat "https://api.perplexity.ai"], names!["PERPLEXITY_API_KEY"],
        "https://docs.perplexity.ai/docs/sonar/openai-compatibility").owning(names!["sonar"]).with(ONE_ANSWER),
    // Its Messages endpoint serves Claude only.
    hosted("poe", "Poe", speaks![OpenAiChat "https://api.poe.com/v1"], names!["POE_API_KEY"],
        "https://creator.poe.com/docs/external-applications/openai-compatible-api")
        .with(Quirks { no_json_schema: true, no_parallel_tool_calls: true, ..ONE_ANSWER }),
    hosted("ppio", "PPIO", speaks![OpenAiChat "https://api.ppio.com/openai/v1"], names!["PPIO_API_KEY"],
        "https://ppio.com/docs/model/llm").with(TOP_K),
    hosted("qianfan", "Baidu Qianfan", speaks![OpenAiChat "https://qianfan.baidubce.com/v2"], names!["QIANFAN_API_KEY"],
        "https://cloud.baidu.com/doc/qianfan-api/s/ym9chdsy5").owning(names!["ernie-"]),
    // Its reference signs chat requests with a header of its own.
    hosted("reka", "Reka AI", speaks![OpenAiChat "https://api.reka.ai/v1"], names!["REKA_API_KEY"],
        "https://docs.reka.ai/chat/api-reference/create").owning(names!["reka-"])
        .signed(Credential::Header(std::borrow::Cow::Borrowed("x-api-key"))).with(TOP_K),
    hosted("requesty", "Requesty",
        speaks![OpenAiChat "https://router.requesty.ai/v1", AnthropicMessages "https://router.requesty.ai/v1"],
        names!["REQUESTY_API_KEY"], "https://docs.requesty.ai/api-reference/overview"),
    hosted("sambanova", "SambaNova",
        speaks![OpenAiChat "https://api.sambanova.ai/v1", AnthropicMessages "https://api.sambanova.ai/v1"],
        names!["SAMBANOVA_API_KEY"], "https://docs.sambanova.ai/docs/en/features/openai-compatibility").bearer()
        .with(Quirks { text_as_string: true, ..TOP_K }),
    hosted("sarvam", "Sarvam AI", speaks![OpenAiChat "https://api.sarvam.ai/v1"], names!["SARVAM_API_KEY"],
        "https://docs.sarvam.ai/api-reference-docs/api-guides-tutorials/chat-completion/overview").owning(names!["sarvam-"]),
    hosted("scaleway", "Scaleway", speaks![OpenAiChat "https://api.scaleway.ai/v1"], names!["SCW_SECRET_KEY"],
        "https://www.scaleway.com/en/docs/generative-apis/").with(ONE_ANSWER),
    hosted("siliconflow", "SiliconFlow",
        speaks![OpenAiChat "https://api.siliconflow.com/v1", AnthropicMessages "https://api.siliconflow.com/v1"],
        names!["SILICONFLOW_API_KEY"], "https://docs.siliconflow.com/en/api-reference/chat-completions/chat-completions").bearer().with(TOP_K),
    hosted("siliconflow-cn", "SiliconFlow (China)",
        speaks![OpenAiChat "https://api.siliconflow.cn/v1", AnthropicMessages "https://api.siliconflow.cn/v1"],
        names!["SILICONFLOW_CN_API_KEY"], "https://api-docs.siliconflow.cn/docs/api/messages-post").bearer().with(TOP_K),
    hosted("stackit", "STACKIT", speaks![OpenAiChat "https://api.openai-compat.model-serving.eu01.onstackit.cloud/v1"],
        names!["STACKIT_API_KEY"], "https://docs.stackit.cloud/products/data-and-ai/ai-model-serving/basics/available-shared-models"),
    hosted("stepfun", "StepFun",
        speaks![OpenAiChat "https://api.stepfun.com/v1", AnthropicMessages "https://api.stepfun.com/v1"],
        names!["STEP_API_KEY", "STEPFUN_API_KEY"], "https://platform.stepfun.com/docs/zh/api-reference/chat/messages-create").bearer()
        .owning(names!["step-"]),
    hosted("synthetic", "Synthetic",
        speaks![OpenAiChat "https://api.synthetic.new/openai/v1", AnthropicMessages "https://api.synthetic.new/anthropic/v1"],
        names!["SYNTHETIC_API_KEY"], "https://dev.synthetic.new/docs").bearer(),
    hosted("tencent-tokenhub", "Tencent TokenHub",
        speaks![OpenAiChat "https://tokenhub.tencentmaas.com/v1", AnthropicMessages "https://tokenhub.tencentmaas.com/v1"],
        names!["TENCENT_TOKENHUB_API_KEY"], "https://cloud.tencent.com/document/product/1823/138677"),
    hosted("together", "Together AI", speaks![OpenAiChat "https://api.together.ai/v1"], names!["TOGETHER_API_KEY"],
        "https://docs.together.ai/docs/openai-api-compatibility").with(TOP_K),
    hosted("upstage", "Upstage", speaks![OpenAiChat "https://api.upstage.ai/v1"], names!["UPSTAGE_API_KEY"],
        "https://console.upstage.ai/api/docs/for-agents/raw").owning(names!["solar-"]),
    hosted("venice", "Venice AI", speaks![OpenAiChat "https://api.venice.ai/api/v1"], names!["VENICE_API_KEY"],
        "https://docs.venice.ai/api-reference/endpoint/chat/completions").with(COMPLETION_TOKENS),
    hosted("vercel", "Vercel AI Gateway",
        speaks![OpenAiChat "https://ai-gateway.vercel.sh/v1", AnthropicMessages "https://ai-gateway.vercel.sh/v1"],
        names!["AI_GATEWAY_API_KEY"], "https://vercel.com/docs/ai-gateway/sdks-and-apis").bearer(),
    hosted("volcengine", "Volcengine Ark",
        speaks![OpenAiChat "https://ark.cn-beijing.volces.com/api/v3", AnthropicMessages "https://ark.cn-beijing.volces.com/api/compatible/v1"],
        names!["ARK_API_KEY"], "https://www.volcengine.com/docs/82379/1330626").bearer().owning(names!["doubao-"]),
    hosted("vultr", "Vultr", speaks![OpenAiChat "https://api.vultrinference.com/v1"], names!["VULTR_API_KEY"],
        "https://api.vultrinference.com/"),
    hosted("wandb", "W&B Inference", speaks![OpenAiChat "https://api.inference.wandb.ai/v1"], names!["WANDB_API_KEY"],
        "https://docs.wandb.ai/inference"),
    // Its Messages endpoint has been deprecated since February 2026.
    hosted("xai", "xAI", speaks![OpenAiChat "https://api.x.ai/v1"], names!["XAI_API_KEY"],
        "https://docs.x.ai/developers/rest-api-reference/inference").owning(names!["grok-"]),
    hosted("xiaomi", "Xiaomi MiMo",
        speaks![OpenAiChat "https://api.xiaomimimo.com/v1", AnthropicMessages "https://api.xiaomimimo.com/anthropic/v1"],
        names!["MIMO_API_KEY", "XIAOMI_API_KEY"], "https://platform.xiaomimimo.com/#/docs").bearer().owning(names!["mimo-"])
        .with(Quirks { reasoning_content: true, ..NONE }),
    hosted("zai", "Z.ai", speaks![OpenAiChat "https://api.z.ai/api/paas/v4", AnthropicMessages "https://api.z.ai/api/anthropic/v1"],
        names!["ZAI_API_KEY"], "https://docs.z.ai/api-reference/llm/chat-completion").bearer().owning(names!["glm-"]).with(GLM),
    hosted("zenmux", "ZenMux", speaks![OpenAiChat "https://zenmux.ai/api/v1"], names!["ZENMUX_API_KEY"], "https://docs.zenmux.ai"),
    hosted("zhipu", "Zhipu BigModel",
        speaks![OpenAiChat "https://open.bigmodel.cn/api/paas/v4", AnthropicMessages "https://open.bigmodel.cn/api/anthropic/v1"],
        names!["ZHIPUAI_API_KEY", "ZHIPU_API_KEY"], "https://docs.bigmodel.cn/cn/guide/develop/openai/introduction").bearer().with(GLM),

    local("aphrodite", "Aphrodite Engine", speaks![OpenAiChat "http://localhost:2242/v1"], &[],
        "https://github.com/aphrodite-engine/aphrodite-engine/blob/main/README.md").with(TOP_K),
    local("docker-model-runner", "Docker Model Runner",
        speaks![OpenAiChat "http://localhost:12434/engines/v1", AnthropicMessages "http://localhost:12434/anthropic/v1"],
        &[], "https://docs.docker.com/ai/model-runner/api-reference/"),
    local("gpt4all", "GPT4All", speaks![OpenAiChat "http://localhost:4891/v1"], &[],
        "https://docs.gpt4all.io/gpt4all_api_server/home.html"),
    local("jan", "Jan", speaks![OpenAiChat "http://localhost:1337/v1", AnthropicMessages "http://localhost:1337/v1"],
        &[], "https://www.jan.ai/docs/desktop/api-server"),
    local("koboldcpp", "KoboldCpp", speaks![OpenAiChat "http://localhost:5001/v1"], &[],
        "https://github.com/LostRuins/koboldcpp/wiki"),
    local("lemonade", "Lemonade Server", speaks![OpenAiChat "http://localhost:13305/v1", AnthropicMessages "http://localhost:13305/v1"],
        &[], "https://lemonade-server.ai/docs/api/openai/").with(Quirks { no_logprobs: true, ..NONE }),
    local("litellm", "LiteLLM Proxy", speaks![OpenAiChat "http://localhost:4000/v1", AnthropicMessages "http://localhost:4000/v1"],
        names!["LITELLM_API_KEY", "LITELLM_PROXY_API_KEY"], "https://docs.litellm.ai/docs/anthropic_unified")
        .with(Quirks { cache_control: true, ..NONE }),
    local("llama-cpp", "llama.cpp", speaks![OpenAiChat "http://localhost:8080/v1", AnthropicMessages "http://localhost:8080/v1"],
        names!["LLAMA_API_KEY"], "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md").with(TOP_K),
    local("llama-stack", "Llama Stack", speaks![OpenAiChat "http://localhost:8321/v1", AnthropicMessages "http://localhost:8321/v1"],
        &[], "https://llamastack.github.io/"),
    local("llamafile", "llamafile", speaks![OpenAiChat "http://localhost:8080/v1", AnthropicMessages "http://localhost:8080/v1"],
        &[], "https://docs.mozilla.ai/llamafile/getting-started/quickstart"),
    local("lmdeploy", "LMDeploy", speaks![OpenAiChat "http://localhost:23333/v1"], &[],
        "https://lmdeploy.readthedocs.io/en/latest/llm/api_server.html"),
    local("lmstudio", "LM Studio", speaks![OpenAiChat "http://localhost:1234/v1", AnthropicMessages "http://localhost:1234/v1"],
        names!["LM_API_TOKEN", "LMSTUDIO_API_KEY"], "https://lmstudio.ai/docs/developer/anthropic-compat").bearer().with(TOP_K),
    local("localai", "LocalAI", speaks![OpenAiChat "http://localhost:8080/v1", AnthropicMessages "http://localhost:8080/v1"],
        names!["LOCALAI_API_KEY"], "https://localai.io/docs/features/authentication/"),
    local("mlx-lm", "MLX LM", speaks![OpenAiChat "http://localhost:8080/v1"], &[],
        "https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/SERVER.md"),
    local("ollama", "Ollama", speaks![OpenAiChat "http://localhost:11434/v1", AnthropicMessages "http://localhost:11434/v1"], &[],
        "https://docs.ollama.com/api/openai-compatibility").with(ONE_ANSWER),
    local("sglang", "SGLang", speaks![OpenAiChat "http://localhost:30000/v1", AnthropicMessages "http://localhost:30000/v1"],
        &[], "https://docs.sglang.io/basic_usage/openai_api.html").with(TOP_K),
    local("tabbyapi", "TabbyAPI", speaks![OpenAiChat "http://localhost:5000/v1"], &[],
        "https://github.com/theroyallab/tabbyAPI/wiki/03.-Usage"),
    local("text-generation-webui", "text-generation-webui", speaks![OpenAiChat "http://localhost:5000/v1"],
        &[], "https://github.com/oobabooga/text-generation-webui/wiki/12-%E2%80%90-OpenAI-API").with(TOP_K),
    local("tgi", "Text Generation Inference", speaks![OpenAiChat "http://localhost:3000/v1"], &[],
        "https://huggingface.co/docs/text-generation-inference/en/messages_api"),
    local("triton", "NVIDIA Triton", speaks![OpenAiChat "http://localhost:9000/v1"], &[],
        "https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/client_guide/openai_readme.html"),
    local("vllm", "vLLM", speaks![OpenAiChat "http://localhost:8000/v1", AnthropicMessages "http://localhost:8000/v1"],
        names!["VLLM_API_KEY"], "https://docs.vllm.ai/en/latest/serving/online_serving/").bearer().with(TOP_K),
    local("xinference", "Xinference", speaks![OpenAiChat "http://localhost:9997/v1"], &[],
        "https://github.com/xorbitsai/inference/blob/main/doc/source/getting_started/using_xinference.rst"),
];
